import type { EventType } from '../../shared/api/events.ts';
import type { Instant } from '../../shared/clock.ts';
import type { TaskState } from '../../shared/task-state.ts';
import type { NewEvent } from '../store/events.ts';
import type { StoreTables } from '../store/store.ts';
import type { TaskMove } from '../store/tasks.ts';
import { Changes } from './changes.ts';

const eventOfState: Record<TaskState, EventType> = {
  SCHEDULED: 'task.created',
  PENDING: 'task.pending',
  IN_PROGRESS: 'task.started',
  COMPLETED: 'task.completed',
  FAILED: 'task.failed',
  CANCELLED: 'task.cancelled',
  EXPIRED: 'task.expired',
};

/** Who made a move, as the audit log tells it: `device` is the task's own, else a person by e-mail. */
export type MovedBy = 'device' | 'controller' | (string & {});

/** The event that tells of a move; the type follows the state reached unless said otherwise. */
export function eventOfMove(
  move: TaskMove,
  at: Instant,
  by: MovedBy,
  more: { type?: EventType; data?: Record<string, unknown> } = {},
): NewEvent {
  return {
    type: more.type ?? eventOfState[move.status],
    at,
    organizationId: move.organizationId,
    deviceId: move.deviceId,
    taskId: move.id,
    runId: move.runId,
    data: {
      status: move.status,
      task_type: move.type,
      by,
      ...(move.errorCode === null ? {} : { error_code: move.errorCode }),
      ...more.data,
    },
  };
}

export const eventsOfMoves = (moves: TaskMove[], at: Instant, by: MovedBy, type?: EventType): NewEvent[] =>
  moves.map((move) => eventOfMove(move, at, by, type === undefined ? {} : { type }));

/** Identifies a task of a device in a map or set. */
export const taskKey = (task: { deviceId: string; code: string }): string => `${task.deviceId} ${task.code}`;

/** Fails the open tasks of a device that is removed, with their events, in the transaction of the removal. */
export async function failDeviceTasks(
  tables: StoreTables,
  deviceId: string,
  now: Instant,
): Promise<TaskMove[]> {
  const moves = await tables.tasks.failDevice(deviceId, now);
  const changes = new Changes();
  changes.events.push(...eventsOfMoves(moves, now, 'controller'));
  await changes.write(tables);
  return moves;
}
