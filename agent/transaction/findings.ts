import { z } from 'zod';
import {
  FileChange,
  ProbeAttempt,
  type SyncParameters,
  type SyncResult,
  SyncStep,
} from '../../shared/task-types/sync.ts';
import type { Evidence } from './evidence.ts';

/** What a transaction found out, beside its steps; on disk as the note, so that a result can be made of it after a crash. */
const Findings = z.object({
  content: z.string().default(''),
  changes: z.array(FileChange).default([]),
  changes_total: z.int().default(0),
  /** States of the units before and after. */
  before: z.record(z.string(), z.string()).default({}),
  after: z.record(z.string(), z.string()).default({}),
});
export type Findings = z.output<typeof Findings>;

const Note = Findings.extend({
  steps: z.array(SyncStep).default([]),
  probes: z.array(ProbeAttempt).default([]),
});
export type TransactionNote = z.output<typeof Note>;

const maxChanges = 1000;
/** A result must fit into a frame with its envelope; what is longer would be dropped as a whole. */
const maxResultBytes = 400_000;

export const noFindings = (): Findings => Findings.parse({});

export const noteOf = (findings: Findings, { steps, probes }: Evidence): Record<string, unknown> => ({
  ...fitted({ ...findings, steps, probes }),
});

/** An unreadable note costs the evidence, never the verdict. */
export const readNote = (note: Record<string, unknown> | undefined): TransactionNote =>
  Note.safeParse(note ?? {}).data ?? Note.parse({});

type End = Pick<SyncResult, 'outcome' | 'journal' | 'on_disk'> &
  Partial<Pick<SyncResult, 'rejected_at' | 'reason'>>;

export function resultOf(
  { generation }: Pick<SyncParameters, 'generation'>,
  findings: Findings,
  { steps, probes }: Pick<Evidence, 'steps' | 'probes'>,
  end: End,
): SyncResult {
  const { content, changes, changes_total, before, after } = findings;
  const units = end.on_disk === 'new' ? after : before;
  return fitted({ ...end, generation, content, changes, changes_total, units, steps, probes });
}

/** The same within its bounds: first the output of what succeeded goes, then all output, then the list of changes. */
function fitted<Parts extends Pick<SyncResult, 'changes' | 'steps' | 'probes'>>(parts: Parts): Parts {
  const changes = parts.changes.slice(0, maxChanges);
  const full = { ...parts, changes };
  const short = { ...full, steps: withOutput(full.steps, (ok) => (ok ? 200 : 4096)) };
  const mute = { ...full, steps: withOutput(full.steps, () => 0) };
  const least = {
    ...mute,
    changes: changes.slice(0, 100),
    steps: full.steps.map((step) => ({ ...step, commands: [] })),
  };
  return [full, short, mute].find(fits) ?? least;
}

const fits = (value: unknown): boolean => Buffer.byteLength(JSON.stringify(value)) <= maxResultBytes;

const withOutput = (steps: SyncStep[], length: (ok: boolean) => number): SyncStep[] =>
  steps.map((step) => ({
    ...step,
    commands: step.commands.map((command) => ({
      ...command,
      output: command.output.slice(0, length(command.ok)),
    })),
  }));
