import { TaskError } from '../../../shared/errors.ts';

const sentences: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ETIMEDOUT: 'there was no answer in time',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name server gave no answer',
  EACCES: 'the agent is not permitted to connect',
  EPIPE: 'the connection was closed',
};

/** Says in plain words what went wrong with `subject`; the reason of an abort passes as it is. */
export function networkError(subject: string, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof TaskError) return error;
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const code = first instanceof Error && 'code' in first ? String(first.code) : '';
  const told = sentences[code] ?? (first instanceof Error ? first.message : String(first));
  return new TaskError('not_reached', `${subject}: ${told}`, { cause: error });
}
