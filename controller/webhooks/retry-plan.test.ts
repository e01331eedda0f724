import { expect, test } from 'vitest';
import { maxAttempts, retryDelayMs } from './retry-plan.ts';

const hourMs = 3_600_000;
const ceiling = { fraction: () => 1, bytes: () => new Uint8Array(), uuid: () => '' };
const floor = { ...ceiling, fraction: () => 0 };
const now = Date.UTC(2026, 0, 1);

test('ceilings grow threefold from ten seconds, below a day; the tenth attempt is the last', () => {
  const delays = Array.from({ length: maxAttempts - 1 }, (_, at) =>
    retryDelayMs(at + 1, { random: ceiling, now, retryAfter: undefined }),
  );
  expect(delays.slice(0, 3)).toEqual([10_000, 30_000, 90_000]);
  expect(delays.at(-1)).toBe(65_610_000);
  expect(retryDelayMs(maxAttempts, { random: ceiling, now, retryAfter: undefined })).toBeUndefined();
  expect(retryDelayMs(9, { random: floor, now, retryAfter: undefined })).toBe(0);
});

test.each([
  ['120', 120_000],
  ['Thu, 01 Jan 2026 02:00:00 GMT', 2 * hourMs],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['9999999999999', 24 * hourMs],
  ['soon', 0],
])('Retry-After %s is waited for, at most a day', (retryAfter, ms) => {
  expect(retryDelayMs(1, { random: floor, now, retryAfter })).toBe(ms);
});
