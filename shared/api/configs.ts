import { z } from 'zod';
import { PageQuery, Timestamp, listOf } from './common.ts';
import { Rollout, Targets } from './tasks.ts';

/** POST /api/v1/organizations/{organization}/pull: makes PULL tasks, answered as every run. Honours `Idempotency-Key`. */
export const PullRequest = z.strictObject({
  targets: Targets,
  units: z.array(z.string().max(32)).max(64).optional(),
  scheduled_at: z.iso.datetime({ offset: true }).optional(),
  expires_in_seconds: z.int().min(1).max(31_536_000).optional(),
  timeout_seconds: z.int().min(1).max(604_800).optional(),
  rollout: Rollout.optional(),
});
export type PullRequest = z.output<typeof PullRequest>;

/** One version of a device's configuration (snapshot). */
export const Snapshot = z.object({
  device_uuid: z.string(),
  device_name: z.string(),
  version: z.int().describe('counts per device'),
  reason: z
    .enum(['first', 'changed', 'ruleset'])
    .describe('ruleset: only the rules of the view changed, not the device'),
  ruleset: z.string(),
  profile: z.string(),
  view_sha256: z.string(),
  bytes: z.int().describe('of the view'),
  has_raw: z.boolean().describe('the encrypted original is stored'),
  units: z.array(z.object({ unit: z.string(), status: z.string(), files: z.int(), bytes: z.int() })),
  first_seen_at: Timestamp,
  last_seen_at: Timestamp,
  task: z.string().nullable().describe('the PULL that found it'),
});
export type Snapshot = z.output<typeof Snapshot>;
/** Which versions of a device stay. */
export const SnapshotRetention = z.strictObject({
  keep: z.int().min(1).max(100_000).default(100).describe('the newest so many, however old'),
  days: z
    .int()
    .min(0)
    .max(36_500)
    .default(365)
    .describe('beyond those, what was on the device within so many days before its newest version'),
  at_most: z.int().min(1).max(100_000).default(2000).describe('never more than so many'),
});
export type SnapshotRetention = z.output<typeof SnapshotRetention>;
export const SnapshotList = listOf(Snapshot).extend({
  retention: SnapshotRetention.optional().describe('which versions the controller keeps'),
});
/** GET …/devices/{device}/snapshots */
export const SnapshotQuery = z.strictObject({ ...PageQuery });

/** GET …/devices/{device}/snapshots/{version|latest} with the view’s files. */
export const SnapshotView = Snapshot.extend({
  files: z.array(
    z.object({
      unit: z.string(),
      path: z.string(),
      mode: z.string(),
      owner: z.string(),
      group: z.string(),
      text: z.string().nullable(),
      withheld: z.string().nullable(),
    }),
  ),
  running: z.array(z.object({ unit: z.string(), text: z.string() })),
});
export type SnapshotView = z.output<typeof SnapshotView>;

/** GET …/devices/{device}/snapshots/diff?from=3&to=5 (numbers or `latest`; `from` defaults to the one before `to`). */
export const DiffQuery = z.strictObject({
  from: z
    .string()
    .regex(/^(\d{1,9}|latest)$/)
    .optional(),
  to: z
    .string()
    .regex(/^(\d{1,9}|latest)$/)
    .default('latest'),
});
export const FileDiff = z.object({
  unit: z.string(),
  path: z.string().describe('a file, or `running` for the running state of the unit'),
  change: z.enum(['create', 'change', 'mode', 'delete']),
  diff: z
    .string()
    .nullable()
    .describe('unified; null when it is too large, then `note` says how much changed'),
  note: z.string().nullable(),
});
export const SnapshotDiff = z.object({
  device_name: z.string(),
  from: z.int().nullable(),
  to: z.int(),
  files: z.array(FileDiff),
});
export type SnapshotDiff = z.output<typeof SnapshotDiff>;
