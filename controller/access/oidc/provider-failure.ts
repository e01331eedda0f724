import * as oidc from 'openid-client';
import { AppError } from '../../../shared/errors.ts';

/** Codes of what says nothing about whoever logs in. */
const unreachable = ['OAUTH_TIMEOUT', 'OAUTH_RESPONSE_IS_NOT_CONFORM', 'OAUTH_RESPONSE_IS_NOT_JSON'];
const ourFault = ['invalid_client', 'unauthorized_client', 'invalid_scope', 'unsupported_grant_type'];

/**
 * What of a failure people are told. The library's own errors hold tokens and claims in their causes: only their words are handed on.
 */
export function providerFailure(error: unknown, issuer: string): unknown {
  if (error instanceof oidc.AuthorizationResponseError) {
    return new AppError('forbidden', `The identity provider refused: ${error.error}`);
  }
  if (error instanceof oidc.ResponseBodyError) return refusedByProvider(error, issuer);
  if (error instanceof TypeError) return unavailable(issuer, error.message);
  if (error instanceof oidc.ClientError) {
    const isAway = unreachable.includes(error.code ?? '') || error.cause instanceof TypeError;
    if (isAway) return unavailable(issuer, error.message);
    return new AppError(
      'not_authenticated',
      `What the identity provider ${issuer} answered is not accepted: ${error.message}`,
    );
  }
  return error;
}

function refusedByProvider({ error, status }: oidc.ResponseBodyError, issuer: string): AppError {
  if (status >= 500 || ourFault.includes(error)) return unavailable(issuer, error);
  if (error === 'expired_token')
    return new AppError('not_authenticated', 'The login took too long: begin again');
  return new AppError(
    error === 'access_denied' ? 'forbidden' : 'not_authenticated',
    `The identity provider refused: ${error}`,
  );
}

const unavailable = (issuer: string, why: string): AppError =>
  new AppError('unavailable', `The identity provider ${issuer} does not answer as it should: ${why}`);
