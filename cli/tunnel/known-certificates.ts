import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CliError } from '../cli-error.ts';
import { configPath } from '../config-file.ts';

type Env = Record<string, string | undefined>;

/** Fingerprints that a person accepted, one `PLACE FINGERPRINT` a line, beside the configuration. */
const pathOf = (env: Env): string => join(dirname(configPath(env)), 'known_web_certificates');

export async function knownCertificate(env: Env, place: string): Promise<string | undefined> {
  const lines = await linesOf(env);
  return lines.find((line) => line.startsWith(`${place} `))?.slice(place.length + 1);
}

export async function rememberCertificate(env: Env, place: string, fingerprint: string): Promise<void> {
  const path = pathOf(env);
  const others = (await linesOf(env)).filter((line) => !line.startsWith(`${place} `));
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${process.pid}.new`;
  await writeFile(fresh, [...others, `${place} ${fingerprint}`, ''].join('\n'), { mode: 0o600 });
  await rename(fresh, path);
}

/** Throws when the device shows another certificate than the one that was accepted. */
export function requireSameCertificate(known: string, shown: string, device: string): string {
  if (known === shown) return known;
  throw new CliError(
    'failed',
    `${device} shows a certificate with the fingerprint ${shown}, and not ${known} as before`,
    {
      code: 'certificate_changed',
      hint: `If it was renewed, accept it with --fingerprint ${shown}`,
    },
  );
}

async function linesOf(env: Env): Promise<string[]> {
  const text = await readFile(pathOf(env), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}
