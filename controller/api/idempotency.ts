import { AppError } from '../../shared/errors.ts';
import { hashSecret } from '../../shared/node/keys.ts';
import type { Submission } from '../tasks/submit.ts';
import type { BodyTexts } from './json-body.ts';
import type { Call } from './route.ts';

/**
 * What identifies a repetition: the caller's key, and a digest of the whole request so that a key is not used for two things. Without
 * `bodyTexts` for a request whose body says nothing.
 */
export function idempotencyOf(
  { request, principal }: Call,
  bodyTexts?: BodyTexts,
): NonNullable<Submission['idempotency']> | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new AppError(
      'bad_request',
      'The header Idempotency-Key is not valid: expected 1 to 255 printable characters without spaces',
    );
  }
  const text = bodyTexts?.get(request) ?? '';
  const requestDigest = hashSecret(`${request.method} ${request.url}\n${text}`);
  return { accountId: principal.account.id, key, requestDigest, status: 200 };
}
