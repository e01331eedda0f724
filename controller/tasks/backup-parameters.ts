import type { BackupConfig } from '../../shared/api/backups.ts';
import type { Targets } from '../../shared/api/tasks.ts';
import type { Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { Backup } from '../../shared/task-types/backup.ts';
import type { ArchiveRow } from '../store/archives.ts';
import type { Store } from '../store/store.ts';
import type { Submission } from './submit.ts';
import { candidates } from './target-candidates.ts';
import { resolveTargets } from './targets.ts';
import { readParameters } from './task-parameters.ts';

/** Fewer than two holders of a key, and one lost key is the loss of every backup. */
const minRecipients = 2;
const dayMs = 86_400_000;

/** Throws 422 `too_few_recipients`. */
export function requireRecipients(recipients: readonly string[]): void {
  const count = new Set(recipients).size;
  if (count >= minRecipients) return;
  throw new AppError(
    'too_few_recipients',
    `The backup configuration names ${count} recipients, expected at least ${minRecipients}: set them with PUT …/backup-config`,
    { detail: { recipients: count, expected: minRecipients } },
  );
}

/** Parameters of a BACKUP for each device: what all have in common, and which content needs no new archive. */
export async function backupParameters(
  { store, now }: { store: Store; now: Instant },
  order: { organizationId: string; targets: Targets; full: boolean; config: BackupConfig },
): Promise<NonNullable<Submission['perDevice']>> {
  const { organizationId, targets, full, config } = order;
  requireRecipients(config.recipients);
  const recipients = [...new Set(config.recipients)];
  const found = await candidates(store.devices, organizationId, targets);
  const { devices } = resolveTargets(targets, found, 'BACKUP');
  const proven = await store.archives.newestProven(devices.map(({ id }) => id));
  const newest = new Map(proven.map((archive) => [archive.deviceId, archive]));
  const { include, exclude, max_bytes } = config;
  const common = { recipients, include, exclude, max_bytes };
  const parametersOf = (archive: ArchiveRow | undefined) => {
    const isEnough =
      archive !== undefined &&
      now - archive.storedAt < config.full_every_days * dayMs &&
      isFor(archive, recipients);
    return readParameters(Backup, {
      ...common,
      full: full || !isEnough,
      known: isEnough ? archive.content : null,
    });
  };
  return {
    parameters: new Map(devices.map(({ id }) => [id, parametersOf(newest.get(id))])),
    skipped: new Map(),
  };
}

/** An archive that others could read, or not all who should, does not stand in for a new one. */
const isFor = (archive: ArchiveRow, recipients: string[]): boolean =>
  [...archive.recipients].sort().join() === [...recipients].sort().join();
