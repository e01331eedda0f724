import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../shared/errors.ts';
import type { ApiConfig } from './parts.ts';

const windowMs = 60_000;

/** Bounds on how often somebody may ask. Each throws `too_many_requests` and tells in `Retry-After` when to come back. */
export interface RequestLimits {
  /** Per token. */
  token(request: FastifyRequest, reply: FastifyReply, tokenId: string): Promise<void>;
  /** Per address, for requests without a good token. */
  stranger(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** Per address, for devices that want to join. */
  enrolment(request: FastifyRequest, reply: FastifyReply): Promise<void>;
}

/** Counts in memory, for the newest 5,000 tokens and addresses of each kind; needs the rate-limit plugin. */
export function createLimits(app: FastifyInstance, config: ApiConfig): RequestLimits {
  const tokenIds = new WeakMap<FastifyRequest, string>();
  const keyOfToken = (request: FastifyRequest) => tokenIds.get(request) ?? request.ip;
  const perToken = app.createRateLimit({
    max: config.requestsPerMinute,
    timeWindow: windowMs,
    keyGenerator: keyOfToken,
  });
  const perStranger = app.createRateLimit({ max: config.strangerRequestsPerMinute, timeWindow: windowMs });
  const perEnrolment = app.createRateLimit({ max: config.enrolmentsPerMinute, timeWindow: windowMs });

  const check = async (limiter: typeof perToken, request: FastifyRequest, reply: FastifyReply) => {
    const count = await limiter(request);
    if (count.isAllowed || !count.isExceeded) return;
    const seconds = Math.max(1, count.ttlInSeconds);
    reply.header('retry-after', seconds);
    throw new AppError(
      'too_many_requests',
      `More than ${count.max} requests in a minute: try again in ${seconds} s`,
      { detail: { limit: count.max, retry_after_ms: seconds * 1000 } },
    );
  };

  return {
    token: (request, reply, tokenId) => {
      tokenIds.set(request, tokenId);
      return check(perToken, request, reply);
    },
    stranger: (request, reply) => check(perStranger, request, reply),
    enrolment: (request, reply) => check(perEnrolment, request, reply),
  };
}
