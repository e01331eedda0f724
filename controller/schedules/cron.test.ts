import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClockByMinutes, firingsByMinutes } from '../../test/harness/cron-by-minutes.ts';
import { nextFiring, parseCron } from './cron.ts';
import { Zones } from './zones.ts';

const zones = new Zones();
const awkward = [
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'America/Santiago',
  'America/New_York',
  'Asia/Kolkata',
  'UTC',
];
const from = Date.UTC(2026, 0, 1);
const until = Date.UTC(2036, 0, 1);
const days = 86_400_000;

function firings(text: string, zone: string, after: number, before: number): string[] {
  const cron = parseCron(text);
  const found: string[] = [];
  for (let at: number | undefined = after - 1; ; ) {
    at = nextFiring(cron, zones.get(zone), at);
    if (at === undefined || at >= before) return found;
    found.push(new Date(at).toISOString());
  }
}

const expected = (text: string, clock: ClockByMinutes, after: number, before: number): string[] =>
  firingsByMinutes(text, clock, after, before).map((at) => new Date(at).toISOString());

describe.each(awkward)('over ten years in %s', (zone) => {
  const clock = new ClockByMinutes(zone, from - 3 * days, until + 3 * days);

  test.each([
    '30 2 * * *',
    '0 0 * * *',
    '15,45 1-3 * * 0',
    '59 23 28-31 * *',
    '0 2 1 * 1',
    '0 0 29 2 *',
    '30 1 * 3,4,9,10,11 SUN',
    '5 */6 * * *',
    '*/20 2 * * 6-7',
  ])('%s fires as counted by minutes', (text) => {
    expect(firings(text, zone, from, until)).toEqual(expected(text, clock, from, until));
  });

  test.each([
    '* * * * *',
    '*/15 * * * *',
    '0 * * * *',
    '37 * * * *',
    '*/10 0-3 * * *',
    '0-50/25 23,0-4 * * *',
  ])('%s fires as counted by minutes around every change of the clocks', (text) => {
    for (const change of clock.changes(from, until)) {
      const [start, end] = [change - days / 4, change + days / 4];
      expect(firings(text, zone, start, end)).toEqual(expected(text, clock, start, end));
    }
  });

  const field = (low: number, high: number) => {
    const value = fc.integer({ min: low, max: high });
    const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
    const step = fc.integer({ min: 1, max: high - low });
    return fc.oneof(
      fc.constant('*'),
      value.map(String),
      step.map((by) => `*/${by}`),
      fc.tuple(range, step).map(([text, by]) => `${text}/${by}`),
      fc
        .array(fc.oneof(value.map(String), range), { minLength: 1, maxLength: 3 })
        .map((list) => list.join(',')),
    );
  };
  const anyCron = fc
    .tuple(field(0, 59), field(0, 5), field(1, 28), field(1, 12), field(0, 7))
    .map((fields) => fields.join(' '));

  test('whatever the expression, around any change of the clocks', () => {
    const changes = clock.changes(from, until);
    const moments = changes.length > 0 ? changes : [from + 100 * days];
    fc.assert(
      fc.property(anyCron, fc.constantFrom(...moments), (text, change) => {
        const [start, end] = [change - 1.5 * days, change + 1.5 * days];
        expect(firings(text, zone, start, end).slice(0, 300)).toEqual(
          expected(text, clock, start, end).slice(0, 300),
        );
      }),
      { numRuns: 60, seed: 1 },
    );
  });
});

test('a skipped time fires at the first moment after, a repeated one at its first occurrence', () => {
  expect(firings('30 2 * * *', 'America/New_York', Date.UTC(2026, 2, 8), Date.UTC(2026, 2, 9))).toEqual([
    '2026-03-08T07:00:00.000Z', // 03:00 EDT
  ]);
  expect(firings('30 1 * * *', 'America/New_York', Date.UTC(2026, 10, 1), Date.UTC(2026, 10, 2))).toEqual([
    '2026-11-01T05:30:00.000Z', // 01:30 EDT, and not again at 01:30 EST
  ]);
  expect(firings('0 0 * * *', 'America/Santiago', Date.UTC(2026, 8, 6), Date.UTC(2026, 8, 7))).toEqual([
    '2026-09-06T04:00:00.000Z', // 01:00
  ]);
});

test('the next firing is after the moment asked for, and the same from anywhere before it', () => {
  const cron = parseCron('0 2 * * *');
  const utc = zones.get('UTC');
  const at = Date.UTC(2026, 0, 1, 2);
  expect(nextFiring(cron, utc, at - 1)).toBe(at);
  expect(nextFiring(cron, utc, at - 3_600_000)).toBe(at);
  expect(nextFiring(cron, utc, at)).toBe(at + days);
  expect(nextFiring(cron, utc, at + 59_999)).toBe(at + days);
});
