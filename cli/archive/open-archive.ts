import { createReadStream } from 'node:fs';
import type { Archive } from '../../shared/api/backups.ts';
import { CliError } from '../cli-error.ts';
import { isReadableByOthers } from '../config-file.ts';
import type { Environment } from '../environment.ts';
import { archiveBytes } from './archive-bytes.ts';
import { readIdentity } from './identity-file.ts';
import { progressLine } from './progress-line.ts';
import { checkSeal } from './seal.ts';
import type { Seal } from './seal.ts';
import { unseal } from './unseal.ts';
import type { UnsealParts, Unsealed } from './unseal.ts';

export interface Opening {
  identityFile: string;
  /** Fingerprint of the key that must have signed. */
  deviceKey?: string | undefined;
  /** A downloaded archive; undefined: it comes from the controller. */
  file?: string | undefined;
  keep: UnsealParts['keep'];
}

/** Opens an archive with an escrow key: signature first, then every byte. Nothing is written anywhere. */
export async function openArchive(
  environment: Environment,
  archive: Archive,
  { identityFile, deviceKey, file, keep }: Opening,
): Promise<Unsealed & { seal: Seal }> {
  const { output, terminal, client } = environment;
  if (archive.damaged_at !== null) output.warn(`archive ${archive.id} is damaged: ${archive.damage ?? ''}`);
  const seal = checkSeal(archive, deviceKey);
  if (identityFile !== '-' && (await isReadableByOthers(identityFile))) {
    output.warn(`others can read ${identityFile}: chmod 600 ${identityFile}`);
  }
  const { recipients } = archive;
  const identity = await readIdentity(identityFile, { stdin: terminal.stdin, recipients });
  const line = progressLine(terminal, output, { what: `archive ${archive.id}`, size: archive.size });
  const source =
    file === undefined
      ? archiveBytes({ client, terminal, archive, ...line })
      : fileBytes(file, line.progress);
  try {
    return { ...(await unseal(source, { identity, statement: seal.statement, keep })), seal };
  } finally {
    line.end();
  }
}

async function* fileBytes(file: string, progress: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let at = 0;
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
      at += (chunk as Buffer).length;
      progress(at);
      yield chunk as Buffer;
    }
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause;
    throw new CliError('usage', `cannot read ${file}: ${cause.message}`, { cause });
  }
}
