import type { IncomingMessage } from 'node:http';
import type { Random } from '../../shared/clock.ts';

/** The caller's own X-Request-Id when it is plain enough for logs and headers, else a new one. */
export const requestIdOf = (request: Pick<IncomingMessage, 'headers'>, random: Random): string => {
  const asked = request.headers['x-request-id'];
  return typeof asked === 'string' && /^[A-Za-z0-9._:-]{1,64}$/.test(asked) ? asked : random.uuid();
};
