import { expect, test } from 'vitest';
import { TestClock } from '../../test/harness/test-clock.ts';
import { RoundTrip } from './round-trip.ts';

const never = new AbortController().signal;

test('is the median of three pings, so that one stray sign of life does not spoil it', async () => {
  const clock = new TestClock();
  const delays = [40, 0, 50];
  const roundTrip: RoundTrip = new RoundTrip(clock, () => {
    void clock.sleep(delays.shift() ?? 0).then(() => roundTrip.alive());
  });
  const measured = roundTrip.measure(never);
  await clock.advance(1_000);
  expect(await measured).toBe(40);
});

test('measures one after the other', async () => {
  const clock = new TestClock();
  let pings = 0;
  const roundTrip = new RoundTrip(clock, () => {
    pings += 1;
  });
  const stop = new AbortController();
  const first = roundTrip.measure(stop.signal);
  const second = roundTrip.measure(stop.signal);
  await clock.advance(0);
  expect(pings).toBe(1);
  stop.abort(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  await expect(second).rejects.toThrow('enough');
});
