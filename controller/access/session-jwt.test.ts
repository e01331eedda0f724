import { expect, test } from 'vitest';
import { generateKeyPair } from '../../shared/node/keys.ts';
import { TestClock } from '../../test/harness/test-clock.ts';
import { accessTokenSeconds, SessionJwt } from './session-jwt.ts';

test('an access token is good for a quarter of an hour, and then says that it expired', async () => {
  const clock = new TestClock();
  const jwt = new SessionJwt({ clock, keys: generateKeyPair(), controllerId: 'controller' });
  const token = await jwt.sign({ sessionId: 'session', accountId: 'account' });
  await clock.advance((accessTokenSeconds - 1) * 1000);
  expect(await jwt.verify(token)).toBe('session');
  await clock.advance(2000);
  await expect(jwt.verify(token)).rejects.toMatchObject({ code: 'token_expired' });
});
