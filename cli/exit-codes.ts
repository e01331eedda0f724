/** What the exit code tells scripts. `muster help exit-codes` prints this table. */
export const exitCodes = {
  ok: { code: 0, says: 'done; with --wait: every task is COMPLETED' },
  failed: { code: 1, says: 'failed; with --wait: no task is COMPLETED' },
  usage: { code: 2, says: 'wrong usage, or the controller refused the request as not valid' },
  someFailed: { code: 3, says: 'some targets failed, others did not' },
  forbidden: { code: 4, says: 'not authenticated, or not allowed' },
  notFound: { code: 5, says: 'not found; with run: a device that does not exist, nothing was created' },
  conflict: { code: 6, says: 'conflict: the thing is not in a state that allows it, or the name is taken' },
  timedOut: { code: 7, says: '--wait gave up at --timeout; the tasks go on' },
  unreachable: { code: 8, says: 'the controller cannot be reached or is unavailable' },
  interrupted: { code: 130, says: 'interrupted by Ctrl-C; tasks go on' },
} as const;

export type ExitReason = keyof typeof exitCodes;

/** What an HTTP status of the controller means for scripts; its error code refines it. */
export function exitReasonOf(status: number, code: string): ExitReason {
  if (code === 'unresolved_targets') return 'notFound';
  if (status === 401 || status === 403) return 'forbidden';
  if (status === 404) return 'notFound';
  if (status === 409) return 'conflict';
  if (status === 502 || status === 503 || status === 504) return 'unreachable';
  return [400, 405, 413, 415, 422].includes(status) ? 'usage' : 'failed';
}
