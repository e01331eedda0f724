import { errors, jwtVerify, SignJWT } from 'jose';
import type { Clock, Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { importPublicKey, type KeyPair } from '../../shared/node/keys.ts';

export const accessTokenSeconds = 15 * 60;
/** Header `typ` of RFC 9068: no other token of ours may stand in for it. */
const tokenType = 'at+jwt';

/** Access tokens of sessions: JWTs signed with a key that signs nothing else. They name a session, and say nothing of rights. */
export class SessionJwt {
  readonly #parts: { clock: Clock; keys: KeyPair; controllerId: string };

  constructor(parts: { clock: Clock; keys: KeyPair; controllerId: string }) {
    this.#parts = parts;
  }

  sign({ sessionId, accountId }: { sessionId: string; accountId: string }): Promise<string> {
    const { clock, keys, controllerId } = this.#parts;
    const now = Math.floor(clock.now() / 1000);
    return new SignJWT({ sid: sessionId })
      .setProtectedHeader({ alg: 'EdDSA', typ: tokenType })
      .setSubject(accountId)
      .setIssuer(controllerId)
      .setAudience(audienceOf(controllerId))
      .setIssuedAt(now)
      .setExpirationTime(now + accessTokenSeconds)
      .sign(keys.privateKey);
  }

  /** The session's id. Throws `token_expired` or `not_authenticated`. */
  async verify(token: string): Promise<string> {
    const { clock, keys, controllerId } = this.#parts;
    try {
      const { payload } = await jwtVerify(token, importPublicKey(keys.publicKey), {
        algorithms: ['EdDSA'],
        typ: tokenType,
        issuer: controllerId,
        audience: audienceOf(controllerId),
        requiredClaims: ['sub', 'sid', 'exp'],
        currentDate: new Date(clock.now()),
      });
      const { sid } = payload;
      if (typeof sid === 'string') return sid;
    } catch (error) {
      if (error instanceof errors.JWTExpired) {
        const at = iso(Number(error.payload.exp) * 1000);
        throw new AppError('token_expired', `The access token expired ${at}: refresh it, or log in again`);
      }
      if (!(error instanceof errors.JOSEError)) throw error;
    }
    throw new AppError('not_authenticated', 'The access token is not known here');
  }
}

const audienceOf = (controllerId: string): string => `${controllerId}/api`;

const iso = (at: Instant): string => new Date(at).toISOString();
