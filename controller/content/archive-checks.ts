import type { Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { ArchiveStatement } from '../../shared/task-types/backup.ts';
import type { ArchiveRow } from '../store/archives.ts';
import type { StoreTables } from '../store/store.ts';
import type { TaskRow } from '../store/tasks.ts';
import type { BlobProof } from './blobs.ts';
import { uploadHolder } from './uploads.ts';

/** The end of the year 9999: later times have no text that everybody reads. */
const lastInstant = 253_402_300_799_999;

/** The device's clock may say anything; what cannot be a time counts as its beginning. */
export function madeAt(text: string): Instant {
  const at = Date.parse(text);
  return at >= 0 && at <= lastInstant ? at : 0;
}

/** Returns how many bytes the archive has. */
export async function requireBytes(
  tables: StoreTables,
  task: TaskRow,
  statement: ArchiveStatement,
): Promise<number> {
  const sha256 = statement.archive_sha256;
  await requireBrought(tables, task, { name: 'archive', sha256 });
  const size = (await tables.blobs.get(sha256))?.size;
  if (size !== statement.archive_bytes) {
    throw new AppError(
      'digest_mismatch',
      `The archive of task ${task.code} has ${size ?? 0} bytes, the statement says ${statement.archive_bytes}`,
    );
  }
  return size;
}

/** What a report names was brought by its own task: nobody gets at what others stored by naming it. */
export async function requireBrought(
  tables: Pick<StoreTables, 'blobs'>,
  { code }: TaskRow,
  { name, sha256 }: { name: 'archive' | 'manifest'; sha256: string },
): Promise<void> {
  if ((await tables.blobs.heldBy('upload', uploadHolder(code, name))).includes(sha256)) return;
  throw new AppError('conflict', `Task ${code} did not bring the ${name} ${sha256}: bring it first`, {
    detail: { missing: [name] },
  });
}

/** What is wrong with an object, as it was read just now. */
export function damageOf(proof: BlobProof | undefined, expected: BlobProof): string | undefined {
  if (proof === undefined) return 'The object is not in the store any more';
  if (proof.size !== expected.size) return `The object has ${proof.size} bytes, expected ${expected.size}`;
  if (proof.sha256 === expected.sha256) return undefined;
  return `The object has the SHA-256 ${proof.sha256}, expected ${expected.sha256}`;
}

/** A dry run of a restore that was completed after the archive was stored. */
export function requireAcceptedDrill(task: TaskRow, archive: ArchiveRow): void {
  const parameters = JSON.parse(task.parameters) as Record<string, unknown>;
  const isDrill =
    task.type === 'SYNC' && parameters['dry_run'] === true && parameters['reason'] === 'restore';
  if (!isDrill || task.createdAt < archive.storedAt) {
    throw new AppError(
      'invalid_parameters',
      `Task ${task.code} is no dry run of a restore made after archive ${archive.id} was stored`,
    );
  }
  if (task.status !== 'COMPLETED') {
    throw new AppError(
      'conflict',
      `Task ${task.code} is ${task.status}: only a dry run that is COMPLETED shows that the archive can be restored`,
    );
  }
}
