/** The life of a task, as data. The store enforces it with conditional updates; API, CLI and console read it. */
export const taskStates = {
  SCHEDULED: { final: false, says: 'deferred; becomes PENDING when its time comes' },
  PENDING: { final: false, says: 'waiting for its device; still cancellable, still expiring' },
  IN_PROGRESS: { final: false, says: 'the device holds it durably and was told to start' },
  COMPLETED: { final: true, says: 'succeeded, as the task type defines success' },
  FAILED: { final: true, says: 'did not succeed, or its outcome is unknown (the error code says which)' },
  CANCELLED: {
    final: true,
    says: 'cancelled before it ran, or stopped by a cancel request that the device confirmed',
  },
  EXPIRED: { final: true, says: 'the device did not pick it up before it expired' },
} as const;

export type TaskState = keyof typeof taskStates;
export const taskStateNames = Object.keys(taskStates) as [TaskState, ...TaskState[]];

/** Allowed moves: from, to, and who makes them. `null` is creation. */
export const taskMoves = [
  { from: null, to: 'SCHEDULED', by: 'request' },
  { from: null, to: 'PENDING', by: 'request' },
  { from: 'SCHEDULED', to: 'PENDING', by: 'dispatcher, at scheduled_at' },
  { from: 'SCHEDULED', to: 'CANCELLED', by: 'request' },
  { from: 'PENDING', to: 'CANCELLED', by: 'request' },
  { from: 'PENDING', to: 'EXPIRED', by: 'dispatcher, at expires_at' },
  { from: 'PENDING', to: 'IN_PROGRESS', by: 'device accepted' },
  { from: 'PENDING', to: 'FAILED', by: 'device refused or removed' },
  { from: 'SCHEDULED', to: 'FAILED', by: 'device removed' },
  { from: 'IN_PROGRESS', to: 'COMPLETED', by: 'device result' },
  { from: 'IN_PROGRESS', to: 'FAILED', by: 'device result, or dispatcher at timeout_at' },
  { from: 'IN_PROGRESS', to: 'CANCELLED', by: 'device confirmed a cancel request' },
] as const satisfies readonly { from: TaskState | null; to: TaskState; by: string }[];

export const isFinal = (state: TaskState): boolean => taskStates[state].final;

export const canMove = (from: TaskState | null, to: TaskState): boolean =>
  taskMoves.some((move) => move.from === from && move.to === to);
