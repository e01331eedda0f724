import { z } from 'zod';
import { AgeRecipient } from '../task-types/pull.ts';
import { PageQuery, Timestamp, listOf } from './common.ts';
import { Rollout, Targets } from './tasks.ts';

/** How many archives of a device are kept: an archive stays when any rule wants it. The newest verified one always stays. */
export const Retention = z.strictObject({
  last: z.int().min(0).max(10_000).default(7),
  hourly: z.int().min(0).max(10_000).default(0),
  daily: z.int().min(0).max(10_000).default(14),
  weekly: z.int().min(0).max(10_000).default(8),
  monthly: z.int().min(0).max(10_000).default(12),
  yearly: z.int().min(0).max(10_000).default(0),
  within_days: z
    .int()
    .min(0)
    .max(36_500)
    .default(0)
    .describe('counted from the newest verified archive, not from now'),
});
export type Retention = z.output<typeof Retention>;

/** GET, PUT /api/v1/organizations/{organization}/backup-config */
export const BackupConfig = z.strictObject({
  recipients: z
    .array(AgeRecipient)
    .max(16)
    .default([])
    .describe('age recipients, at least two: whoever holds one of the private keys can decrypt'),
  include: z
    .array(z.string().max(1024))
    .max(100)
    .default([])
    .describe('files and folders beyond the units of the profile'),
  exclude: z.array(z.string().max(1024)).max(100).default([]),
  max_bytes: z.int().min(1024).max(1_099_511_627_776).default(4_294_967_296),
  full_every_days: z
    .int()
    .min(1)
    .max(365)
    .default(30)
    .describe('a whole new archive at least so often, also when nothing changed'),
  retention: Retention.prefault({}),
});
export type BackupConfig = z.output<typeof BackupConfig>;

/** POST /api/v1/organizations/{organization}/backups: makes BACKUP tasks, answered as every run. Honours `Idempotency-Key`. */
export const BackupRequest = z.strictObject({
  targets: Targets,
  full: z.boolean().default(false),
  scheduled_at: z.iso.datetime({ offset: true }).optional(),
  expires_in_seconds: z.int().min(1).max(31_536_000).optional(),
  timeout_seconds: z.int().min(1).max(604_800).optional(),
  rollout: Rollout.optional(),
});
export type BackupRequest = z.output<typeof BackupRequest>;

/** What was proven of an archive, each with its time. stored: size and digest read back from the store. readable: read back and decrypted, every file as the manifest says. restorable: decrypted by a holder of an escrow key and accepted by a device in a dry run. */
export const Archive = z.object({
  id: z.string(),
  device_uuid: z.string(),
  device_name: z.string(),
  organization: z.string(),
  task: z.string().nullable(),
  size: z.int(),
  sha256: z.string(),
  content: z.string(),
  files: z.int(),
  level: z.enum(['stored', 'readable', 'restorable']),
  made_at: Timestamp,
  stored_at: Timestamp,
  readable_at: Timestamp.nullable(),
  restorable_at: Timestamp.nullable(),
  verified_at: Timestamp.nullable().describe('newest proof that the stored object is whole'),
  unchanged_at: Timestamp.nullable().describe('the device last said that this is still its configuration'),
  damaged_at: Timestamp.nullable().describe('a proof failed: it cannot be relied on'),
  damage: z.string().nullable(),
  recipients: z.array(z.string()),
  statement: z.string(),
  signature: z.string(),
  device_key: z.string().describe('the public key that the signature is of'),
});
export type Archive = z.output<typeof Archive>;
export const ArchiveList = listOf(Archive);
/** GET /api/v1/organizations/{organization}/backups; one: …/backups/{archive}; bytes: …/backups/{archive}/content (Range); manifest: …/backups/{archive}/manifest */
export const ArchiveQuery = z.strictObject({
  device: z.string().max(256).optional(),
  level: z.enum(['stored', 'readable', 'restorable']).optional(),
  ...PageQuery,
});
/** POST …/backups/{archive}/verify: reads the object again and compares size and digest. */
export const VerifyAnswer = z.object({
  archive: z.string(),
  ok: z.boolean(),
  level: z.enum(['stored', 'readable', 'restorable']),
  message: z.string(),
});
/** POST …/backups/{archive}/restorable: a drill succeeded; `task` is the SYNC dry run that accepted it. */
export const RestorableRequest = z.strictObject({ task: z.string().max(16), files: z.int().min(1) });

/** POST …/backups/retention: what the rules would delete; with `apply` delete exactly this plan (its digest), which was stored and shown before. */
export const RetentionRequest = z.strictObject({
  device: z.string().max(256).optional(),
  apply: z.string().max(64).optional(),
});
export const RetentionPlan = z.object({
  plan: z.string().describe('digest of the list; pass it as `apply`'),
  keep: z.array(
    z.object({
      archive: z.string(),
      device_name: z.string(),
      made_at: Timestamp,
      reasons: z.array(z.string()),
    }),
  ),
  delete: z.array(
    z.object({ archive: z.string(), device_name: z.string(), made_at: Timestamp, size: z.int() }),
  ),
  deleted: z.int(),
});
export type RetentionPlan = z.output<typeof RetentionPlan>;
