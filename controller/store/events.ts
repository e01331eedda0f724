import type { EventType } from '../../shared/api/events.ts';
import type { Instant } from '../../shared/clock.ts';

export interface NewEvent {
  type: EventType;
  at: Instant;
  organizationId: string;
  deviceId: string | null;
  taskId: string | null;
  runId: string | null;
  data: Record<string, unknown>;
}

export interface EventRow extends NewEvent {
  cursor: number;
  organizationName: string;
  deviceName: string | null;
  taskCode: string | null;
}

export interface EventFilter {
  organizationId: string;
  taskId?: string;
  runId?: string;
}

/** What happened, in order. Cursors increase and are never used twice. Bounded by `prune`. */
export interface EventStore {
  append(events: NewEvent[]): Promise<void>;
  read(filter: EventFilter, after: number, limit: number): Promise<EventRow[]>;
  /** Oldest cursor kept and newest ever given (0 and 0 when there was none). */
  range(): Promise<{ oldest: number; newest: number }>;
  /** Keeps the newest `keep` events that are younger than `before`; returns how many were deleted. */
  prune(keep: number, before: Instant): Promise<number>;
}
