import type { DriftStatus } from '../../shared/api/sync.ts';

/** Words for options; not taken from the schema, because starting up must not wait for it. */
export const driftStatuses = [
  'IN_SYNC',
  'DRIFT',
  'NEVER_SYNCED',
  'UNKNOWN',
  'ERROR',
] as const satisfies readonly DriftStatus[];
