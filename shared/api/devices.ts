import { z } from 'zod';
import { DeviceName, Labels } from '../ids.ts';
import { PageQuery, QueryFlag, Timestamp, listOf } from './common.ts';
import { DriftStatus } from './sync.ts';

export const DeviceStatus = z.enum(['PENDING', 'ENABLED', 'DISABLED']);
export type DeviceStatus = z.output<typeof DeviceStatus>;

/** What an older controller does not answer yet has a default, or is optional. */
export const Device = z.object({
  uuid: z.string(),
  name: z.string(),
  status: DeviceStatus,
  organization: z.string(),
  labels: Labels,
  organizational_units: z.array(z.string()).describe('value of the label `ou`, if any'),
  version: z.string().nullable().describe('agent version'),
  online: z.boolean(),
  heartbeat: Timestamp.nullable().describe('when the device was heard last'),
  task_types: z.array(z.string()).describe('task types its agent can run'),
  facts: z.record(z.string(), z.unknown()).nullable(),
  timezone: z
    .string()
    .nullable()
    .optional()
    .describe(
      'where schedules of the zone `device` find it: its label `timezone`, else the fact; null, and as UTC, when that is no zone',
    ),
  key_fingerprint: z
    .string()
    .describe('SHA-256 of its public key, hex; compare with `muster-agent status` on the device'),
  next_key_fingerprint: z
    .string()
    .nullable()
    .default(null)
    .describe('of the key that is accepted beside it, until the device comes with that'),
  key_rotation: z.boolean().default(false).describe('it is to make a new key and did not come with one yet'),
  key_revoked_at: Timestamp.nullable()
    .default(null)
    .describe('its key is refused since then; `rebind` gives it another'),
  boot_id: z.string().nullable(),
  quarantine_reason: z.string().nullable().describe('set when two agents used its key; `approve` lifts it'),
  drift_status: DriftStatus,
  drift_checked_at: Timestamp.nullable(),
  synced_at: Timestamp.nullable().describe('when it last confirmed a configuration'),
  synced_hash: z.string().nullable(),
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type Device = z.output<typeof Device>;
export const DeviceList = listOf(Device);
export type DeviceList = z.output<typeof DeviceList>;

/** GET /api/v1/organizations/{organization}/devices */
export const DeviceQuery = z.strictObject({
  status: DeviceStatus.optional(),
  name: z.string().max(256).optional().describe('a name, or a regular expression that occurs in it'),
  label: z.string().max(256).optional().describe('key=value; several separated by commas'),
  ou: z.string().max(64).optional(),
  drift_status: DriftStatus.optional(),
  online: QueryFlag.optional(),
  synced_after: z.string().max(64).optional().describe('confirmed a configuration since then'),
  synced_before: z.string().max(64).optional(),
  heartbeat_after: z.string().max(64).optional().describe('30m, 2h, 7d, 2w ago, or RFC 3339'),
  heartbeat_before: z.string().max(64).optional(),
  created_after: z.string().max(64).optional(),
  created_before: z.string().max(64).optional(),
  sort_by: z.string().max(64).default('name:asc'),
  ...PageQuery,
});
export type DeviceQuery = z.output<typeof DeviceQuery>;

/** POST …/rebind */
export const RebindDevice = z.strictObject({
  expires_in_seconds: z
    .int()
    .min(60)
    .max(30 * 86_400)
    .default(86_400),
});

export const RenameDevice = z.strictObject({ new_name: DeviceName });
/** PUT …/labels replaces all labels; PATCH …/labels sets some, null removes one. */
export const ReplaceLabels = z.strictObject({ labels: Labels });
export const ChangeLabels = z.strictObject({ labels: z.record(z.string(), z.string().nullable()) });
