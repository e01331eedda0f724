/** A command cannot do what it was asked: told in one sentence, without a stack, with its exit code. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = exitCodes.failed) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

export const exitCodes: Record<
  'failed' | 'usage' | 'unanswered' | 'forbidden' | 'conflict' | 'unreachable' | 'outdated',
  number
> = {
  failed: 1,
  usage: 2,
  unanswered: 3,
  forbidden: 4,
  conflict: 6,
  unreachable: 8,
  /** Starting again does not help; the service manager knows this code. */
  outdated: 78,
};
