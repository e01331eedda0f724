import { expect, test } from 'vitest';
import { WakeUp } from './wake-up.ts';

const never = new AbortController().signal;

test('a call before the wait is kept, many count as one', async () => {
  const wakeUp = new WakeUp();
  wakeUp.call();
  wakeUp.call();
  await wakeUp.wait(never);
  let woken = false;
  const waiting = wakeUp.wait(never).then(() => {
    woken = true;
  });
  await Promise.resolve();
  expect(woken).toBe(false);
  wakeUp.call();
  await waiting;
});

test('an aborted wait settles', async () => {
  const stop = new AbortController();
  const waiting = new WakeUp().wait(stop.signal);
  stop.abort();
  await waiting;
  await new WakeUp().wait(stop.signal);
});
