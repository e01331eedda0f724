import type { AgentTaskStatus } from '../../shared/api/assistant.ts';
import type { RunStatus } from '../../shared/api/runs.ts';
import type { RunRow } from '../store/runs.ts';

/** Derived: IN_PROGRESS while a task is open or about to be tried again; STOPPED when rollout limits ended it; COMPLETED when all did; CANCELLED when all were; else FAILED. */
export function runStatus(run: RunRow): RunStatus {
  if (run.agentStatus !== null) return agentRunStatus[run.agentStatus];
  const { counts } = run;
  if (run.retryOpen && counts.FAILED > 0) return 'IN_PROGRESS';
  if (counts.SCHEDULED + counts.PENDING + counts.IN_PROGRESS > 0) return 'IN_PROGRESS';
  if (run.stoppedAt !== null && run.stoppedReason !== cancelledByPerson) return 'STOPPED';
  const ended = counts.COMPLETED + counts.FAILED + counts.CANCELLED + counts.EXPIRED;
  if (counts.CANCELLED === ended && ended > 0) return 'CANCELLED';
  if (counts.FAILED + counts.EXPIRED + counts.CANCELLED === 0) return 'COMPLETED';
  return 'FAILED';
}

const agentRunStatus = {
  running: 'IN_PROGRESS',
  waiting: 'IN_PROGRESS',
  completed: 'COMPLETED',
  failed: 'FAILED',
  cancelled: 'CANCELLED',
} as const satisfies Record<AgentTaskStatus, RunStatus>;

/** `stoppedReason` of a run that a person cancelled. */
export const cancelledByPerson = 'cancelled';
