/**
 * The life of a configuration transaction on a device. One fsynced record per step; the last one says what is on the disk.
 * Until ARMED nothing of the machine is touched; from ARMED to PROBING the old configuration comes back unless CONFIRMED is written.
 */
export const journalStates = [
  'RECEIVED',
  'VERIFIED',
  'RENDERED',
  'VALIDATED',
  'SNAPSHOTTED',
  'ARMED',
  'APPLYING',
  'APPLIED',
  'PROBING',
  'CONFIRMED',
  'ROLLING_BACK',
  'ROLLED_BACK',
  'ROLLBACK_FAILED',
  'REJECTED',
] as const;
export type JournalState = (typeof journalStates)[number];

/** No record follows these. */
export const finalJournalStates = ['CONFIRMED', 'ROLLED_BACK', 'ROLLBACK_FAILED', 'REJECTED'] as const;

/** Nothing of the machine was touched yet. */
export const untouchedJournalStates = [
  'RECEIVED',
  'VERIFIED',
  'RENDERED',
  'VALIDATED',
  'SNAPSHOTTED',
] as const;

export const isOver = (state: JournalState): boolean =>
  (finalJournalStates as readonly JournalState[]).includes(state);
export const isUntouched = (state: JournalState): boolean =>
  (untouchedJournalStates as readonly JournalState[]).includes(state);
