import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorBody } from '../../shared/api/common.ts';
import { AppError, type ErrorCode } from '../../shared/errors.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import { hasNestedErrors, nestedErrorBody } from './views/nested-error.ts';

/** What the framework refuses before a handler runs, in our words; its own words may name its insides. */
const frameworkFailures: Record<string, { code: ErrorCode; says: string }> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'payload_too_large',
    says: 'The body is larger than this controller accepts',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'unsupported_media_type',
    says: 'The body has to be JSON: expected the header Content-Type: application/json',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'bad_request',
    says: 'The body is not as long as its Content-Length says',
  },
  FST_ERR_BAD_URL: { code: 'bad_request', says: 'The path is not a valid URL' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'not_found', says: 'A name in the path is too long to exist' },
};

/** Any failure as one of ours. Whatever nobody foresaw becomes `internal`, its text stays with us as `cause`. */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (isDiskFull(error))
    return new AppError('disk_full', 'The disk of the controller is full: nothing was changed', {
      cause: error,
    });

  const { code, statusCode } = (
    typeof error === 'object' && error !== null ? error : {}
  ) as Partial<FastifyError>;
  const known = frameworkFailures[code ?? ''];
  if (known !== undefined) return new AppError(known.code, known.says, { cause: error });
  // Only the framework's own errors carry both; a client's mistake that has no words of its own yet.
  if (code?.startsWith('FST_ERR') && statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new AppError('bad_request', 'The request is not valid', { cause: error });
  return new AppError('internal', 'The controller failed; its log has more under this request id', {
    cause: error,
  });
}

/** The body of every error. */
export const errorBody = (error: AppError, requestId: string): ErrorBody => ({
  error: error.message,
  code: error.code,
  ...(error.detail !== undefined && { detail: error.detail }),
  request_id: requestId,
});

/** Answers a failed request; a bug is logged with its stack. */
export function failureAnswerer(log: Logger) {
  return (failure: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const error = asAppError(failure);
    if (error.code === 'internal')
      log.error(
        { err: error.cause, requestId: request.id, method: request.method, url: request.url },
        'request failed',
      );
    tellWhenToRetry(error, reply);
    // The framework would close the connection while the client still sends, and the client would never read why.
    if (error.code === 'payload_too_large') reply.removeHeader('connection');
    return reply
      .code(error.status)
      .type('application/json; charset=utf-8')
      .send(hasNestedErrors(request.url) ? nestedErrorBody(error) : errorBody(error, request.id));
  };
}

function tellWhenToRetry(error: AppError, reply: FastifyReply): void {
  if ((error.status !== 429 && error.status !== 503) || reply.hasHeader('retry-after')) return;
  const { detail } = error;
  const known = typeof detail === 'object' && detail !== null && 'retry_after_ms' in detail;
  reply.header('retry-after', known ? Math.max(1, Math.ceil(Number(detail.retry_after_ms) / 1000)) : 5);
}
