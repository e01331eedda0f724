import { expect, test } from 'vitest';
import { Wake } from './wake.ts';

const forever = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));

test('is heard although it rang before anybody listened, once', async () => {
  const wake = new Wake();
  wake.ring();
  wake.ring();
  expect(await wake.wait(forever)).toBe(true);
  expect(await wake.wait(() => Promise.resolve())).toBe(false);
});

test('ends the sleep of who listens', async () => {
  const wake = new Wake();
  let isAsleep = true;
  const heard = wake.wait(async (signal) => {
    await forever(signal);
    isAsleep = false;
  });
  wake.ring();
  expect(await heard).toBe(true);
  await Promise.resolve();
  expect(isAsleep).toBe(false);
});
