import { z } from 'zod';
import { PageQuery, Timestamp, listOf } from './common.ts';
import { Rollout, RunAnswer, Targets } from './tasks.ts';

/** NEVER_SYNCED: nothing was confirmed on it. DRIFT: the device differs from what was confirmed. UNKNOWN: nobody looked since. ERROR: it could not be read, or rolled back. */
export const DriftStatus = z.enum(['IN_SYNC', 'DRIFT', 'NEVER_SYNCED', 'UNKNOWN', 'ERROR']);
export type DriftStatus = z.output<typeof DriftStatus>;

/** POST /api/v1/organizations/{organization}/sync/plan */
export const PlanRequest = z.strictObject({
  targets: Targets,
  diff: z.boolean().default(true).describe('false: only which files change'),
});

export const PlannedFile = z.object({
  path: z.string(),
  unit: z.string(),
  change: z.enum(['create', 'change', 'mode', 'delete', 'none', 'unknown']).describe('unknown: never pulled'),
  diff: z
    .string()
    .nullable()
    .describe('unified, against the last pulled view; secrets are hidden on both sides'),
  note: z.string().optional().describe('why no difference is shown, or how much changed'),
});

/** One device's part of a plan, or why there is none. */
export const DevicePlan = z.object({
  device_uuid: z.string(),
  device_name: z.string(),
  profile: z.string().nullable(),
  bundles: z.array(z.object({ name: z.string(), revision: z.int() })),
  content: z
    .string()
    .nullable()
    .describe('digest of the desired configuration; the same for equal configurations'),
  synced_content: z.string().nullable(),
  drift_status: DriftStatus,
  pulled_at: Timestamp.nullable().describe('when the state was read that this compares with'),
  files: z.array(PlannedFile),
  changes: z.int(),
  quarantined: z
    .boolean()
    .describe('this content was rolled back on this device; `sync release` allows it again'),
  error: z
    .object({
      code: z.string(),
      message: z.string(),
      undefined_variables: z.array(z.string()),
      conflicts: z.array(z.string()),
    })
    .nullable(),
});
export type DevicePlan = z.output<typeof DevicePlan>;
export const Plan = z.object({
  organization: z.string(),
  devices: z.array(DevicePlan),
  changed: z.int(),
  unchanged: z.int(),
  failed: z.int(),
});
export type Plan = z.output<typeof Plan>;

/** POST /api/v1/organizations/{organization}/sync: makes SYNC tasks. Honours `Idempotency-Key`. Devices whose plan has an error, or is quarantined, are in `skipped`. */
export const SyncRequest = z.strictObject({
  targets: Targets,
  dry_run: z.boolean().default(false).describe('the device does everything up to the snapshot'),
  ask: z
    .boolean()
    .default(false)
    .describe('each device that changes asks before it applies, and does not when nobody says yes'),
  on_drift: z.enum(['refuse', 'overwrite']).default('refuse'),
  only_changed: z
    .boolean()
    .default(false)
    .describe('leave out devices that already confirmed this content and do not drift'),
  confirm_seconds: z.int().min(30).max(3600).optional(),
  scheduled_at: z.iso.datetime({ offset: true }).optional(),
  expires_in_seconds: z.int().min(1).max(31_536_000).optional(),
  timeout_seconds: z.int().min(60).max(604_800).optional(),
  rollout: Rollout.optional(),
  force: z.boolean().default(false),
});
export type SyncRequest = z.output<typeof SyncRequest>;
export const SyncAnswer = RunAnswer.extend({
  errors: z.array(
    z.object({
      device_name: z.string(),
      error: z.string(),
      code: z.string(),
      conflicts: z.array(z.string()),
      undefined_variables: z.array(z.string()),
    }),
  ),
});
export type SyncAnswer = z.output<typeof SyncAnswer>;

/** GET /api/v1/organizations/{organization}/sync/status */
export const SyncStatusQuery = z.strictObject({
  device: z.string().max(256).optional().describe('a name, or a regular expression that occurs in it'),
  drift_status: DriftStatus.optional(),
  ...PageQuery,
});
export const SyncStatus = z.object({
  device_uuid: z.string(),
  device_name: z.string(),
  organization: z.string(),
  drift_status: DriftStatus,
  drift_checked_at: Timestamp.nullable(),
  synced_at: Timestamp.nullable(),
  synced_hash: z.string().nullable().describe('content that the device confirmed last'),
  current_hash: z.string().nullable().describe('content desired now; null when it cannot be rendered'),
  desired_problem: z
    .string()
    .nullable()
    .optional()
    .describe('why there is no desired content: `no_bundle` when none is for it, else the code of the error'),
  in_sync: z.boolean().describe('the desired content is confirmed, and nothing drifted since'),
  generation: z.int().nullable(),
  units: z.array(z.object({ unit: z.string(), status: z.string(), message: z.string() })),
  quarantined: z.array(z.string()).describe('contents that were rolled back on it'),
  error: z.string().nullable(),
});
export type SyncStatus = z.output<typeof SyncStatus>;
export const SyncStatusList = listOf(SyncStatus);
/** POST /api/v1/organizations/{organization}/devices/{device}/sync/release: allows contents that were rolled back on the device. */
export const ReleaseRequest = z.strictObject({
  content: z.string().max(64).optional().describe('all of them when absent'),
});
export const ReleaseAnswer = z.object({ device_name: z.string(), released: z.array(z.string()) });

/** POST /api/v1/organizations/{organization}/restores: a SYNC with given files, each encrypted to the device (age) by whoever holds the escrow key. */
export const RestoreRequest = z.strictObject({
  device: z.string().max(256),
  archive: z.string().max(64).describe('where it came from, for the audit log'),
  profile: z.strictObject({ id: z.string(), rev: z.int() }),
  files: z
    .array(
      z.strictObject({
        path: z.string().max(1024),
        unit: z.string().max(32),
        mode: z.string().max(8),
        owner: z.string().max(32),
        group: z.string().max(32),
        /** base64 of the age ciphertext. */
        content: z.string().max(12_000_000),
        /** Of the plaintext. */
        sha256: z.string().length(64),
      }),
    )
    .min(1)
    .max(2000),
  dry_run: z
    .boolean()
    .default(false)
    .describe('only prove that it would be accepted: validators and pre-flight on the device'),
  on_drift: z.enum(['refuse', 'overwrite']).default('overwrite'),
  confirm_seconds: z.int().min(30).max(3600).optional(),
});
export type RestoreRequest = z.output<typeof RestoreRequest>;
