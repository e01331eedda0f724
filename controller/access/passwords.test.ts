import { expect, test } from 'vitest';
import { Passwords } from './passwords.ts';

test('a password is hashed with argon2id, and waits in a line that has an end', async () => {
  const passwords = new Passwords();
  const hash = await passwords.hash('ｐａssword of ann');
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await passwords.matches('password of ann', hash)).toBe(true);
  expect(await passwords.matches('password of bob', hash)).toBe(false);

  const crowd = Array.from({ length: 103 }, () => passwords.matches('x', undefined));
  const outcomes = await Promise.allSettled(crowd);
  const refused = outcomes.filter(({ status }) => status === 'rejected');
  expect(refused).toMatchObject([{ reason: { code: 'unavailable' } }]);
  expect(await passwords.matches('password of ann', hash)).toBe(true);
});
