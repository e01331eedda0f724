import { z } from 'zod';
import { Sha256 } from '../manifest.ts';
import { journalStates } from '../transaction.ts';
import { taskContract } from './task-type.ts';

/** What one command of a step did. Output is redacted on the device. */
export const StepCommand = z.object({
  unit: z.string(),
  check: z.string().optional(),
  argv: z.array(z.string()),
  exit_code: z.int().nullable(),
  duration_ms: z.number(),
  output: z.string().max(4096),
  ok: z.boolean(),
});

export const SyncStep = z.object({
  step: z.enum([
    'admit',
    'baseline',
    'fetch',
    'verify',
    'drift',
    'render',
    'validate',
    'preflight',
    'ask',
    'snapshot',
    'arm',
    'apply',
    'check',
    'probe',
    'confirm',
    'roll_back',
  ]),
  ok: z.boolean(),
  duration_ms: z.number(),
  message: z.string().max(1024),
  commands: z.array(StepCommand).max(200),
});
export type SyncStep = z.output<typeof SyncStep>;

export const ProbeAttempt = z.object({
  at: z.number(),
  ok: z.boolean(),
  /** How far it came. */
  phase: z.enum(['dns', 'tcp', 'tls', 'answer', 'signature', 'done']),
  duration_ms: z.number(),
  error: z.string().optional(),
});
export type ProbeAttempt = z.output<typeof ProbeAttempt>;

export const FileChange = z.object({
  path: z.string(),
  unit: z.string(),
  change: z.enum(['create', 'change', 'mode', 'delete']),
});
export type FileChange = z.output<typeof FileChange>;

/** Error codes of a SYNC. Up to `no_baseline` nothing of the device was touched; after `rolled_back` the old configuration is in place. */
export const syncErrors = [
  'rejected_fetch',
  'rejected_verify',
  'rejected_drift',
  'rejected_render',
  'rejected_validate',
  'rejected_preflight',
  'rejected_snapshot',
  'quarantined',
  'declined',
  'unanswered',
  'busy',
  'no_baseline',
  'rolled_back',
  'rollback_failed',
] as const;

/** Succeeds when the device's journal says CONFIRMED: applied, checked, and the controller reached over new connections. Made by `/sync` only. */
export const Sync = taskContract({
  name: 'SYNC',
  summary: 'Applies the desired configuration as a transaction that undoes itself unless it is confirmed',
  madeBy: 'sync',
  parameters: z.strictObject({
    generation: z.int().min(1),
    manifest: Sha256.describe('digest of the manifest text; the device fetches it by this'),
    manifest_bytes: z.int().min(1).max(8_388_608),
    base: z
      .record(z.string(), z.string())
      .default({})
      .describe(
        'state of each unit that the plan was made against; a unit that differs on the device is drift',
      ),
    on_drift: z.enum(['refuse', 'overwrite']).default('refuse'),
    dry_run: z.boolean().default(false).describe('stop before the snapshot'),
    ask: z
      .boolean()
      .optional()
      .describe('ask a person before anything is touched; absent for an agent that cannot'),
    release: z.boolean().default(false).describe('apply although this content was rolled back before'),
    confirm_seconds: z.int().min(30).max(3600).optional(),
    reason: z.enum(['sync', 'restore']).default('sync'),
  }),
  result: z.object({
    outcome: z.enum(['applied', 'unchanged', 'dry_run', 'rejected', 'rolled_back', 'rollback_failed']),
    generation: z.int(),
    content: z.string(),
    journal: z.enum(journalStates).nullable(),
    rejected_at: z.string().optional(),
    reason: z.string().optional(),
    changes: z.array(FileChange).max(1000),
    changes_total: z.int(),
    steps: z.array(SyncStep).max(40),
    probes: z.array(ProbeAttempt).max(100),
    units: z.record(z.string(), z.string()).describe('state of each unit afterwards, for the next plan'),
    on_disk: z.enum(['old', 'new', 'unknown']),
  }),
});
export type SyncParameters = z.output<typeof Sync.parameters>;
export type SyncResult = z.output<typeof Sync.result>;
