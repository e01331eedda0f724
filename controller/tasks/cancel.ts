import type { TaskRow } from '../store/tasks.ts';
import type { CancelRunAnswer } from '../../shared/api/runs.ts';
import type { Actor } from '../devices/actor.ts';

export interface Cancellation {
  /**
   * SCHEDULED, PENDING → CANCELLED; CANCELLED stays (no error). IN_PROGRESS with `request`: the device is asked to stop, when the type
   * can be stopped. Throws `not_found`, or `not_cancellable` with a sentence that says why. Returns the task as it is then.
   */
  cancelTask(actor: Actor, codeOrId: string, options: { request: boolean }): Promise<TaskRow>;
  /** Cancels what waits and stops the rollout; with `request` asks running tasks that can be stopped to stop too. */
  cancelRun(actor: Actor, runId: string, options: { request: boolean }): Promise<CancelRunAnswer>;
}
