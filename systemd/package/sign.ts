import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { minisignHash, minisignPublicKey, signMinisign } from '../../shared/node/minisign.ts';
import { parseJson } from '../../shared/parse.ts';
import { ReleaseManifest } from '../../shared/release.ts';
import { formatSecretKey, newSecretKey, parseSecretKey } from './minisign-secret.ts';
import { choosePassphrase, type PassphrasePlace, readPassphrase } from './passphrase.ts';

/**
 * `sign.ts --new-key KEY` makes a key, for a machine without a network, and KEY.pub for devices and controllers; `sign.ts --key KEY FILE`
 * signs a release with it, into FILE.minisig. Keys are minisign's, encrypted with a passphrase;
 * `minisign -S -m FILE -t "$(cat FILE.manifest.json)"` does the same.
 */
const usage =
  'usage: sign.ts --new-key KEY [--no-passphrase] | sign.ts --key KEY FILE\n' +
  '       --passphrase-file FILE: instead of the terminal; /dev/fd/3 is a descriptor\n';

async function main(self: NodeJS.Process): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      'new-key': { type: 'string' },
      key: { type: 'string' },
      'passphrase-file': { type: 'string' },
      'no-passphrase': { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const place: PassphrasePlace = { file: values['passphrase-file'], terminal: self };
  const [file] = positionals;
  if (values['new-key'] !== undefined) {
    const passphrase = values['no-passphrase'] ? undefined : () => choosePassphrase(place);
    self.stdout.write(`${await makeKey(values['new-key'], passphrase)}\n`);
  } else if (values.key !== undefined && file !== undefined) {
    self.stdout.write(`${await signRelease(file, values.key, () => readPassphrase(place))}\n`);
  } else {
    self.stderr.write(usage);
    self.exitCode = 2;
  }
}

async function makeKey(path: string, passphrase: (() => Promise<string>) | undefined): Promise<string> {
  // Before somebody thinks of a passphrase.
  if (existsSync(path)) throw new Error(`${path} is there already: nothing was made`);
  const key = newSecretKey();
  writeFileSync(path, await formatSecretKey(key, await passphrase?.()), { mode: 0o600, flag: 'wx' });
  writeFileSync(`${path}.pub`, minisignPublicKey(key.privateKey, key.id));
  return `${path}.pub`;
}

async function signRelease(
  file: string,
  keyFile: string,
  passphrase: () => Promise<string>,
): Promise<string> {
  const text = readFileSync(`${file}.manifest.json`, 'utf8').trim();
  const manifest = parseJson(`${file}.manifest.json`, ReleaseManifest, text);
  const digest = minisignHash();
  await pipeline(createReadStream(file), digest);
  const { privateKey, id } = await parseSecretKey(readFileSync(keyFile, 'utf8'), passphrase);
  writeFileSync(`${file}.minisig`, signMinisign(digest.digest(), JSON.stringify(manifest), privateKey, id));
  return `${file}.minisig`;
}

try {
  await main(process);
} catch (error) {
  process.stderr.write(`sign.ts: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
