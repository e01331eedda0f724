import { createHmac } from 'node:crypto';
import type { Instant, Random } from '../../shared/clock.ts';

const secretPrefix = 'whsec_';
/** The convention asks for 24 to 64. */
const secretBytes = 32;

export const drawSecret = (random: Random): string =>
  secretPrefix + Buffer.from(random.bytes(secretBytes)).toString('base64');

/**
 * Headers that let a receiver check who sent a message, as the Standard Webhooks specification has them
 * (https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md): the secret is `whsec_` and base64 of the
 * key, the signature `v1,` and base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`. While a secret is being changed there are two
 * signatures, with a blank between: a receiver accepts either.
 */
export function signedHeaders(
  { id, body }: { id: string; body: string },
  secrets: string[],
  at: Instant,
): Record<string, string> {
  const timestamp = String(Math.floor(at / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(secretPrefix.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}
