import type { Random } from '../../shared/clock.ts';
import { hashSecret } from '../../shared/node/keys.ts';

const prefix = 'msr_';

/** A refresh token names its session, so that one that was used before is known again although nobody keeps it. */
export interface RefreshToken {
  text: string;
  sessionId: string;
  hash: string;
}

/** With 256 bits of randomness beside the session's id. */
export function newRefreshToken(sessionId: string, random: Random): RefreshToken {
  const secret = Buffer.from(random.bytes(32)).toString('base64url');
  const text = `${prefix}${sessionId}.${secret}`;
  return { text, sessionId, hash: hashSecret(text) };
}

/** Undefined when the text is not of the form of a refresh token. */
export function parseRefreshToken(text: string): RefreshToken | undefined {
  const sessionId = /^msr_([0-9a-f-]{36})\.[A-Za-z0-9_-]{43}$/.exec(text)?.[1];
  return sessionId === undefined ? undefined : { text, sessionId, hash: hashSecret(text) };
}
