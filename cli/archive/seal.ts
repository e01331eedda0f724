import type { Archive } from '../../shared/api/backups.ts';
import { importPublicKey, keyFingerprint, verifyText } from '../../shared/node/keys.ts';
import { parseJson } from '../../shared/parse.ts';
import { ArchiveStatement } from '../../shared/task-types/backup.ts';
import { CliError } from '../cli-error.ts';

export interface Seal {
  statement: ArchiveStatement;
  /** SHA-256 of the device's key. */
  fingerprint: string;
}

/** Checks the device's signature, and that what it signed is what the controller says of the archive. `expected`: fingerprint of the key that must have signed. */
export function checkSeal(archive: Archive, expected: string | undefined): Seal {
  const fingerprint = keyFingerprint(archive.device_key);
  if (expected !== undefined && expected.toLowerCase() !== fingerprint) {
    throw badSeal(`archive ${archive.id} is signed with the key ${fingerprint}, expected ${expected}`);
  }
  if (!isSigned(archive)) {
    throw badSeal(`the signature of archive ${archive.id} is not one of the key ${fingerprint}`);
  }
  const statement = statementOf(archive);
  const differs = [
    ['device', statement.device, archive.device_uuid],
    ['SHA-256', statement.archive_sha256, archive.sha256],
    ['size', statement.archive_bytes, archive.size],
    ['content', statement.content, archive.content],
  ].find(([, signed, told]) => signed !== told);
  if (differs !== undefined) {
    const [what, signed, told] = differs;
    throw badSeal(
      `archive ${archive.id}: the device signed the ${what} ${signed}, the controller says ${told}`,
    );
  }
  return { statement, fingerprint };
}

function statementOf({ id, statement }: Archive): ArchiveStatement {
  try {
    return parseJson(`the statement of archive ${id}`, ArchiveStatement, statement);
  } catch (error) {
    throw badSeal((error as Error).message);
  }
}

/** A key or signature that is none is not a reason to stop with an error of the library. */
function isSigned({ statement, signature, device_key }: Archive): boolean {
  try {
    return verifyText(statement, signature, importPublicKey(device_key));
  } catch {
    return false;
  }
}

const badSeal = (message: string): CliError => new CliError('failed', message, { code: 'bad_signature' });
