import { TaskError } from '../../shared/errors.ts';
import type { EndKind, StoredTask } from '../store/task-table.ts';
import type { NewReport } from '../store/outbox.ts';

/** How a task ended, before it is told. */
export type TaskEnd =
  | { kind: 'completed'; result: Record<string, unknown> }
  | { kind: 'failed'; code: string; message: string; result?: Record<string, unknown> | undefined }
  | { kind: 'cancelled' };

/** A result must fit into a frame, beside its envelope. */
const maxResultBytes = 512 * 1024;
const maxMessageLength = 16_384;

/** What a handler threw, as the end of its task. What is not a `TaskError` is a bug: its text stays on the device. */
export function failureOf(error: unknown): TaskEnd & { kind: 'failed' } {
  if (error instanceof TaskError) {
    return { kind: 'failed', code: error.code, message: error.message, result: error.result };
  }
  return {
    kind: 'failed',
    code: 'internal',
    message: 'The agent failed while it ran this task; its log on the device says more',
  };
}

/** The end as a row of the outbox. */
export function endReport(
  task: Pick<StoredTask, 'code' | 'attempt' | 'startedAt'>,
  end: TaskEnd,
  at: number,
): { kind: EndKind; report: NewReport } {
  const row = { code: task.code, at, attempt: task.attempt };
  if (end.kind === 'cancelled') return { kind: 'cancelled', report: { type: 'task.cancelled', ...row } };
  const failed = end.kind === 'failed';
  return {
    kind: 'result',
    report: {
      type: 'task.result',
      ...row,
      outcome: failed ? 'FAILED' : 'COMPLETED',
      ...(failed
        ? { error: { code: end.code.slice(0, 64), message: end.message.slice(0, maxMessageLength) } }
        : {}),
      ...(end.result && fits(end.result) ? { result: end.result } : {}),
      ...(task.startedAt === null ? {} : { startedAt: task.startedAt }),
    },
  };
}

const fits = (result: Record<string, unknown>): boolean =>
  Buffer.byteLength(JSON.stringify(result)) <= maxResultBytes;
