import type { Handler, Interrupted } from '../handlers/handler.ts';
import type { StoredTask } from '../store/task-table.ts';
import type { Attempt, Outcome } from './attempt.ts';
import { knownTraits } from '../../shared/task-types/task-type.ts';

/** A process that finds a task running once more than this gives it up: the task itself may be what ends the agent. */
const maxResumes = 5;

/** What the store knows about a task that was running when its agent or its machine ended. */
export const interruptedFrom = (
  task: StoredTask,
  now: Pick<Interrupted, 'bootId' | 'instanceId'>,
): Interrupted => ({
  bootId: task.bootId ?? now.bootId,
  instanceId: task.instanceId ?? now.instanceId,
  currentBootId: now.bootId,
  startedAt: task.startedAt ?? task.acceptedAt,
});

/** Lets the task's type decide how an interrupted attempt came out. `task.resumes` does not count this time yet. */
export async function recoverTask(
  attempt: Attempt,
  handler: Handler,
  interrupted: Interrupted,
): Promise<Outcome> {
  const { task } = attempt;
  if (task.resumes >= maxResumes) {
    return {
      kind: 'failed',
      code: 'crash_loop',
      message: `The agent ended ${task.resumes + 1} times while this task ran: it is given up`,
    };
  }
  if (handler.recover) return attempt.run(interrupted);
  if (knownTraits(task.type)?.rerun) return { kind: 'rerun' };
  return {
    kind: 'failed',
    code: 'interrupted',
    message: 'The agent or the machine stopped in the middle: the outcome is unknown',
  };
}
