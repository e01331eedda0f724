import type { EventFilter, EventRow } from '../store/events.ts';

/** `reset`: the cursor asked for is older than what is kept; read the state anew and go on from `oldest`. */
export type StreamItem = { kind: 'event'; event: EventRow } | { kind: 'reset'; oldest: number };

export interface EventStream {
  /**
   * Events after the cursor (undefined: from now on), in order, without end until `signal` is aborted (then the iteration just ends). Reads from the store
   * at the reader's own pace, so a slow reader costs nothing.
   */
  subscribe(filter: EventFilter, after: number | undefined, signal: AbortSignal): AsyncIterable<StreamItem>;
}
