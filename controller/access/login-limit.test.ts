import { expect, test } from 'vitest';
import { TestClock } from '../../test/harness/test-clock.ts';
import { LoginLimit } from './login-limit.ts';

test('attempts come back with time, and clear with a good one', async () => {
  const clock = new TestClock();
  const limit = new LoginLimit(clock);
  const attempt = () => limit.attempt('ann@example.org', '192.0.2.1');
  for (let count = 0; count < 10; count++) attempt();
  expect(attempt).toThrow(/Too many attempts/);
  await clock.advance(30_000);
  attempt();
  expect(attempt).toThrow(/Too many attempts/);
  limit.succeeded('ann@example.org');
  attempt();
});

test('one address cannot try many e-mails', () => {
  const limit = new LoginLimit(new TestClock());
  const attempt = (count: number) => limit.attempt(`person-${count}@example.org`, '192.0.2.1');
  for (let count = 0; count < 60; count++) attempt(count);
  expect(() => attempt(60)).toThrow(/Too many attempts/);
});
