import { AppError } from '../../shared/errors.ts';
import { importPublicKey, verifyText } from '../../shared/node/keys.ts';
import { parse, parseJson } from '../../shared/parse.ts';
import { Sha256 } from '../../shared/manifest.ts';
import { ArchiveStatement } from '../../shared/task-types/backup.ts';

/** What the device says of an archive, once its signature is seen to be its own. Encryption alone has no sender. */
export function signedStatement(
  device: { id: string; publicKey: string; nextPublicKey?: string | null },
  { statement: text, signature }: { statement: string; signature: string },
): { statement: ArchiveStatement; deviceKey: string } {
  const keys = [device.publicKey, device.nextPublicKey ?? device.publicKey];
  const deviceKey = keys.find((key) => verifyText(text, signature, importPublicKey(key)));
  if (deviceKey === undefined) {
    throw new AppError('invalid_parameters', 'The statement is not signed with the key of this device');
  }
  const statement = parseJson('The statement', ArchiveStatement, text);
  parse('The statement', Sha256, statement.archive_sha256);
  parse('The statement', Sha256, statement.manifest_sha256);
  if (statement.device !== device.id) {
    throw new AppError(
      'invalid_parameters',
      `The statement is about device ${statement.device}, and came from ${device.id}`,
    );
  }
  return { statement, deviceKey };
}
