import { z } from 'zod';
import { taskContract } from './task-type.ts';

/** An age recipient (X25519). */
export const AgeRecipient = z
  .string()
  .regex(/^age1[02-9ac-hj-np-z]{58}$/, 'expected an age recipient, age1…');

/** How a unit of the device is, compared with what was last confirmed and with what runs. */
export const UnitStatus = z.enum([
  'in_sync',
  'never_synced',
  'file_changed',
  'running_only',
  'pending_reload',
  'unreadable',
  'unstable',
  'suspect',
]);
export type UnitStatus = z.output<typeof UnitStatus>;

export const PulledUnit = z.object({
  unit: z.string(),
  status: UnitStatus,
  message: z.string().max(1024).default(''),
  files: z.int(),
  bytes: z.int(),
  /** Keyed digest of the files; also when the view of it is the same. */
  state: z.string(),
});
export type PulledUnit = z.output<typeof PulledUnit>;

/** Succeeds when the controller has stored what was read and said so. Made by `/pull` only. */
export const Pull = taskContract({
  name: 'PULL',
  summary: 'Reads the running configuration: a redacted view to compare, and the encrypted original',
  madeBy: 'pull',
  parameters: z.strictObject({
    units: z.array(z.string()).max(64).optional().describe('all units of the profile when absent'),
    recipients: z
      .array(AgeRecipient)
      .max(16)
      .default([])
      .describe('who can read the original; none: it is not stored'),
    max_bytes: z
      .int()
      .min(1024)
      .default(256 * 1024 * 1024),
  }),
  result: z.object({
    profile: z.object({ id: z.string(), rev: z.int() }),
    units: z.array(PulledUnit),
    version: z.int().nullable().describe('version of the configuration that this is'),
    changed: z.boolean().describe('a new version was stored'),
    raw: z.enum(['stored', 'unchanged', 'no_recipients']),
    view_sha256: z.string(),
    bytes: z.int(),
  }),
});
export type PullParameters = z.output<typeof Pull.parameters>;
export type PullResult = z.output<typeof Pull.result>;

/** The view as it travels and is stored, JSON text: what people, diff and search see. Nothing secret is in it. */
export const ConfigView = z.object({
  format: z.literal(1),
  /** Version of the rules that cut and hid. */
  ruleset: z.string(),
  units: z.array(
    z.object({
      unit: z.string(),
      files: z.array(
        z.object({
          path: z.string(),
          mode: z.string(),
          owner: z.string(),
          group: z.string(),
          /** Absent with `withheld`: binary, secret as a whole, or not surely free of secrets. */
          text: z.string().optional(),
          withheld: z.string().optional(),
          /** Keyed digest, for files without text. */
          token: z.string().optional(),
        }),
      ),
      running: z.string().optional(),
    }),
  ),
});
export type ConfigView = z.output<typeof ConfigView>;
