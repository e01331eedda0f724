import type { Instant } from '../../shared/clock.ts';
import type { RunEnd } from '../store/assistant.ts';
import type { StoreTables } from '../store/store.ts';
import { questionEvent } from './question-events.ts';

/** Ends the run of an agent task with all that it still asks; false when it has ended before. Belongs in a transaction. */
export async function endAgentRun(
  tables: StoreTables,
  { id: runId, organizationId }: { id: string; organizationId: string },
  end: RunEnd,
  now: Instant,
): Promise<boolean> {
  if (!(await tables.assistant.end(runId, end, now))) return false;
  const withdrawn = await tables.questions.withdrawOfRun(runId);
  const data = { task_type: 'AGENT_TASK', status: end.status, error_code: end.errorCode ?? null };
  await tables.events.append([
    ...withdrawn.map((move) => questionEvent(move, now)),
    { type: 'run.ended', at: now, organizationId, runId, deviceId: null, taskId: null, data },
  ]);
  return true;
}
