import type { z } from 'zod';
import type { Archive, RetentionPlan } from '../../shared/api/backups.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { MadePlan } from '../content/retention-plans.ts';
import { type ArchiveRow, archiveLevel } from '../store/archives.ts';
import { shownOrNull } from './show-time.ts';

/** A backup as the API shows it. */
export const showArchive = (row: ArchiveRow): z.output<typeof Archive> => ({
  id: row.id,
  device_uuid: row.deviceId,
  device_name: row.deviceName,
  organization: row.organizationName,
  task: row.task,
  size: row.size,
  sha256: row.sha256,
  content: row.content,
  files: row.files,
  level: archiveLevel(row),
  made_at: rfc3339(row.madeAt),
  stored_at: rfc3339(row.storedAt),
  readable_at: shownOrNull(row.readableAt),
  restorable_at: shownOrNull(row.restorableAt),
  verified_at: shownOrNull(row.verifiedAt),
  unchanged_at: shownOrNull(row.unchangedAt),
  damaged_at: shownOrNull(row.damagedAt),
  damage: row.damage,
  recipients: row.recipients,
  statement: row.statement,
  signature: row.signature,
  device_key: row.deviceKey,
});

export const showRetentionPlan = ({ digest, outcome, deleted }: MadePlan): RetentionPlan => ({
  plan: digest,
  keep: outcome.keep.map(({ archive: { row }, reasons }) => ({ ...brief(row), reasons })),
  delete: outcome.delete.map(({ row }) => ({ ...brief(row), size: row.size })),
  deleted,
});

const brief = ({ id, deviceName, madeAt }: ArchiveRow) => ({
  archive: id,
  device_name: deviceName,
  made_at: rfc3339(madeAt),
});
