import { expect, test } from 'vitest';
import { TestClock } from '../../test/harness/test-clock.ts';
import { ControllerClock } from './controller-clock.ts';

const year = 365 * 86_400_000;

test('is the own clock until something was learned, then the controller’s, whatever the own one does', async () => {
  const clock = new TestClock();
  const controllerClock = new ControllerClock(clock);
  expect(controllerClock.now()).toBe(clock.now());

  const there = clock.now() + year;
  controllerClock.learn(there);
  await clock.advance(1_000);
  clock.jump(-5 * year);
  expect(controllerClock.now()).toBe(there + 1_000);
});
