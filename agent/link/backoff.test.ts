import { expect, test } from 'vitest';
import { seededRandom } from '../../test/simulation/random.ts';
import { Backoff } from './backoff.ts';
import { DialRefused } from './dial-refused.ts';

/** Draws the same fraction always. */
const always = (fraction: number) => ({ ...seededRandom('backoff'), fraction: () => fraction });
const waits = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.next());

test('the ceiling doubles from 1 s to 60 s and stays there', () => {
  expect(waits(new Backoff(always(1)), 9)).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000,
  ]);
});

test('jitter is full: it is applied after the ceiling, also after many failures', () => {
  expect(waits(new Backoff(always(0)), 3)).toEqual([0, 0, 0]);
  const late = new Backoff(always(0.5));
  waits(late, 2_000);
  expect(late.next()).toBe(30_000);
});

test('a healthy link makes the next failure a first one', () => {
  const backoff = new Backoff(always(1));
  waits(backoff, 5);
  backoff.healthy();
  expect(backoff.next()).toBe(1_000);
});

test('after a lost link the waits stay below what the controller named, for five minutes of waiting', () => {
  const backoff = new Backoff(always(1));
  backoff.welcomed(2_000);
  expect(waits(backoff, 3)).toEqual([1_000, 2_000, 2_000]);
  waits(backoff, 147); // 299 s in all
  expect(waits(backoff, 3)).toEqual([2_000, 60_000, 60_000]);
  backoff.healthy();
  expect(waits(backoff, 3)).toEqual([1_000, 2_000, 2_000]);
});

test('what a controller names is kept between one second and one minute, and an older one names nothing', () => {
  const after = (ms: number | undefined) => {
    const backoff = new Backoff(always(1));
    backoff.welcomed(1);
    backoff.welcomed(ms);
    return waits(backoff, 9).at(-1);
  };
  expect([1, 1e9, undefined].map(after)).toEqual([1_000, 60_000, 60_000]);
});

test('a wait that the controller named is kept, with jitter on top', () => {
  const refused = new DialRefused('too_many_requests', 'later', { retryAfterMs: 5_000 });
  expect(new Backoff(always(0)).next(refused)).toBe(5_000);
  expect(new Backoff(always(1)).next(refused)).toBe(6_000);
});

test('a wait beyond an hour is an hour: no answer can keep a device away for good', () => {
  const later = (code: string) => new DialRefused(code, 'later', { retryAfterMs: 1e12 });
  expect(new Backoff(always(0)).next(later('unavailable'))).toBe(3_600_000);
  expect(new Backoff(always(0)).next(later('quarantined'))).toBe(3_600_000);
});

test('a device that waits for a person comes back as told, else every half minute, whatever failed before', () => {
  const backoff = new Backoff(always(0));
  waits(backoff, 9);
  expect(backoff.next(new DialRefused('not_approved', 'wait', { retryAfterMs: 2_000 }))).toBe(2_000);
  expect(backoff.next(new DialRefused('quarantined', 'wait'))).toBe(30_000);
});

test('after it learned the clock it tries again at once, once', () => {
  const backoff = new Backoff(always(1));
  const skewed = new DialRefused('clock_skew', 'your clock is wrong', { controllerTime: 1, retryAfterMs: 0 });
  expect([backoff.next(skewed), backoff.next(skewed), backoff.next(skewed)]).toEqual([0, 1_000, 2_000]);
});
