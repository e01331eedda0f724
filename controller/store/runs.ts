import type { Instant } from '../../shared/clock.ts';
import type { Rollout } from '../../shared/api/tasks.ts';
import type { TaskState } from '../../shared/task-state.ts';
import type { TaskType } from '../../shared/task-types/task-type.ts';
import type { PageOf, Paging } from './access.ts';

export interface NewRun {
  id: string;
  organizationId: string;
  type: TaskType;
  trigger: 'manual' | 'at' | 'schedule' | 'retry' | 'api';
  /** JSON text. */
  parameters: string;
  rollout: Rollout | null;
  total: number;
  /** Devices that were selected but got no task, and why. */
  skipped: { deviceName: string; reason: string }[];
  createdBy: string;
  createdAt: Instant;
  scheduledAt: Instant | null;
}

export interface RunRow extends NewRun {
  organizationName: string;
  stoppedAt: Instant | null;
  stoppedReason: string | null;
  counts: Record<TaskState, number>;
  /** When its last task ended; null while one is open. */
  completedAt: Instant | null;
}

/** A run that goes by rollout limits and is not over. */
export interface OpenRollout {
  id: string;
  rollout: Rollout;
  total: number;
  counts: Record<TaskState, number>;
}

/** Runs group tasks; their status is derived from the counts. */
export interface RunStore {
  insert(run: NewRun): Promise<void>;
  get(organizationId: string | undefined, id: string): Promise<RunRow | undefined>;
  list(organizationId: string, paging: Paging): Promise<PageOf<RunRow>>;
  /** Ids of the run's tasks in these states. */
  taskIds(runId: string, states: TaskState[]): Promise<string[]>;
  /** Names and reasons of the run's tasks that never ran: CANCELLED with a reason, EXPIRED. */
  notRun(runId: string, limit: number): Promise<{ deviceName: string; reason: string }[]>;
  openRollouts(): Promise<OpenRollout[]>;
  /** No more tasks of it are handed out; false when it was stopped or closed already. */
  stop(id: string, reason: string, now: Instant): Promise<boolean>;
  /** Marks rollouts whose tasks have all ended, so that they are not looked at again. */
  closeRollouts(ids: string[]): Promise<void>;
  /** Deletes runs that have no task left and were created before; returns how many. */
  prune(before: Instant): Promise<number>;
}
