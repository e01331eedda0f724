import type { RunRequest } from '../../shared/api/tasks.ts';
import type { TaskType } from '../../shared/task-types/task-type.ts';

type Common = Pick<RunRequest, 'targets'> & {
  [Key in 'scheduled_at' | 'expires_in_seconds' | 'timeout_seconds' | 'rollout']?:
    | RunRequest[Key]
    | undefined;
};

/** A request that has a route of its own, as the run that it makes. */
export const runRequestOf = (
  type: TaskType,
  request: Common,
  payload: Record<string, unknown>,
): RunRequest => ({
  type,
  targets: request.targets,
  payload,
  force: false,
  dry_run: false,
  ...(request.scheduled_at !== undefined && { scheduled_at: request.scheduled_at }),
  ...(request.expires_in_seconds !== undefined && { expires_in_seconds: request.expires_in_seconds }),
  ...(request.timeout_seconds !== undefined && { timeout_seconds: request.timeout_seconds }),
  ...(request.rollout !== undefined && { rollout: request.rollout }),
});
