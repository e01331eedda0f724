import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { exportPrivateKey, generateKeyPair, importPrivateKey } from '../../shared/node/keys.ts';
import { minisignHash, minisignPublicKey, signMinisign } from '../../shared/node/minisign.ts';
import { parseJson } from '../../shared/parse.ts';
import { ReleaseManifest } from '../../shared/release.ts';

/**
 * `sign.ts --new-key KEY` makes a key, for a machine without a network, and KEY.pub for devices and controllers; `sign.ts --key KEY FILE`
 * signs a release with it, into FILE.minisig. `minisign -S -m FILE -t "$(cat FILE.manifest.json)"` does the same with a key of minisign's.
 */
const { values, positionals } = parseArgs({
  options: { 'new-key': { type: 'string' }, key: { type: 'string' } },
  allowPositionals: true,
});
const [file] = positionals;

if (values['new-key'] !== undefined) {
  const { privateKey } = generateKeyPair();
  writeFileSync(values['new-key'], exportPrivateKey(privateKey), { mode: 0o600, flag: 'wx' });
  writeFileSync(`${values['new-key']}.pub`, minisignPublicKey(privateKey));
  process.stdout.write(`${values['new-key']}.pub\n`);
} else if (values.key !== undefined && file !== undefined) {
  const { privateKey } = importPrivateKey(readFileSync(values.key, 'utf8'));
  const text = readFileSync(`${file}.manifest.json`, 'utf8').trim();
  const manifest = parseJson(`${file}.manifest.json`, ReleaseManifest, text);
  const digest = minisignHash();
  await pipeline(createReadStream(file), digest);
  writeFileSync(`${file}.minisig`, signMinisign(digest.digest(), JSON.stringify(manifest), privateKey));
  process.stdout.write(`${file}.minisig\n`);
} else {
  process.stderr.write('usage: sign.ts --new-key KEY | sign.ts --key KEY FILE\n');
  process.exitCode = 2;
}
