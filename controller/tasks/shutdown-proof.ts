import type { Instant } from '../../shared/clock.ts';
import type { FinishedTask, TaskRow } from '../store/tasks.ts';

/** The result of a SHUTDOWN that nobody on the device is left to report: it said that it powers off, and then it was gone. */
export function shutdownProof(
  task: TaskRow,
  evidence: { linkClosedAt: Instant | null; bootId?: string },
): FinishedTask {
  const result = {
    powering_off_at: new Date(task.poweringOffAt ?? task.updatedAt).toISOString(),
    link_closed_at: evidence.linkClosedAt === null ? null : new Date(evidence.linkClosedAt).toISOString(),
    ...(evidence.bootId === undefined ? {} : { boot_id: evidence.bootId }),
  };
  return {
    deviceId: task.deviceId,
    code: task.code,
    attempt: task.attempt,
    outcome: 'COMPLETED',
    message: null,
    errorCode: null,
    errorMessage: null,
    result: JSON.stringify(result),
  };
}
