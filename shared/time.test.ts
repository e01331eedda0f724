import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from './errors.ts';
import {
  formatDuration,
  horizonMs,
  parseAt,
  parseDuration,
  parseInstant,
  parsePast,
  rfc3339,
  showInZone,
} from './time.ts';

const now = Date.parse('2026-03-01T12:00:00Z');
const day = 86_400_000;
const zones = [
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'America/Santiago',
  'America/New_York',
  'Asia/Kolkata',
  'UTC',
];
const zone = fc.constantFrom(...zones);
/** Whole minutes of (nearly) the year ahead. */
const minuteAhead = fc.integer({ min: 0, max: 364 * 24 * 60 }).map((minutes) => now + minutes * 60_000);

/** What the clocks of a zone show, by another way than the code under test: `YYYY-MM-DD HH:MM`. */
function wallOf(at: number, timeZone: string): string {
  return new Date(at)
    .toLocaleString('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
    .replace('T', ' ');
}

describe('a wanted time', () => {
  test.each([
    ['45s', 45_000],
    ['30m', 1_800_000],
    ['2H', 7_200_000],
    ['3d', 3 * day],
    ['1W', 7 * day],
    ['0s', 0],
    ['', 0],
    ['   ', 0],
  ])('%j is an offset from now', (text, offset) => {
    expect(parseAt(text, now, 'UTC')).toEqual({ at: now + offset, zone: 'UTC' });
  });

  test.each([
    ['2026-05-12T03:00:00Z', '2026-05-12T03:00:00.000Z'],
    ['2026-05-12t03:00:00z', '2026-05-12T03:00:00.000Z'],
    ['2026-05-12T03:00:00-03:00', '2026-05-12T06:00:00.000Z'],
    ['2026-05-12T03:00:00.25+05:30', '2026-05-11T21:30:00.250Z'],
    ['2026-05-12T03:00:00.123456789Z', '2026-05-12T03:00:00.123Z'],
    ['2026-12-31T23:59:60Z', '2027-01-01T00:00:00.000Z'],
  ])('%s is an exact instant whatever the zone', (text, instant) => {
    expect(rfc3339(parseAt(text, now, 'America/Santiago').at)).toBe(instant);
  });

  test.each([
    ['2026-05-12 03:00', '2026-05-12T07:00:00.000Z'],
    ['2026-05-12T03:00', '2026-05-12T07:00:00.000Z'],
    ['2026-05-12 03:00:07', '2026-05-12T07:00:07.000Z'],
    ['2026-05-12', '2026-05-12T04:00:00.000Z'],
  ])('%s is read in the zone of the person', (text, instant) => {
    expect(rfc3339(parseAt(text, now, 'America/New_York').at)).toBe(instant);
  });

  test.each([
    '2026-05-12T03:00Z',
    '2026-05-12T03:00+0200',
    '2026-05-12T03:00:00+24:00',
    '2026-05-12 03:00 CET',
    '2026-05-12T03:00:00[Europe/Berlin]',
    '2026-05-12T12:59:60Z',
    '2026-04-31',
    '2026-02-29',
    '2026-13-01',
    '2026-05-12T24:00:00Z',
    '2026-05-12 24:00',
    '2026-05-12T03:00:00.5',
    '1h30m',
    '-2h',
    '1.5h',
    '2y',
    '1234567890m',
    'tomorrow',
    '12:00',
    '٣d',
    'Infinityd',
  ])('%s is refused with the accepted forms', (text) => {
    expect(() => parseAt(text, now, 'Europe/Berlin')).toThrow(/is not a time: expected 45s, .*RFC 3339/);
  });

  test('may lie at most 30 seconds in the past', () => {
    expect(parseAt('2026-03-01T11:59:30Z', now, 'UTC').at).toBe(now - 30_000);
    expect(() => parseAt('2026-03-01T11:59:29.999Z', now, 'UTC')).toThrow(/is in the past/);
    expect(() => parseAt('2026-03-01', now, 'UTC')).toThrow(
      'The time 2026-03-01 is in the past: it means 2026-03-01T00:00:00.000Z',
    );
  });

  test('may lie at most a year ahead', () => {
    expect(parseAt('52w', now, 'UTC').at).toBe(now + 364 * day);
    expect(parseAt('366d', now, 'UTC').at).toBe(now + horizonMs);
    expect(() => parseAt('367d', now, 'UTC')).toThrow(/more than a year ahead/);
    expect(() => parseAt('999999999w', now, 'UTC')).toThrow(/more than a year ahead/);
  });

  test('takes the first occurrence of a repeated local time and says so', () => {
    expect(parseAt('2026-11-01 01:30', now, 'America/New_York')).toEqual({
      at: Date.parse('2026-11-01T05:30:00Z'),
      zone: 'America/New_York',
      warning:
        '2026-11-01 01:30 occurs twice in America/New_York; the first, 2026-11-01T01:30:00-04:00, is taken',
    });
  });

  test('moves a skipped local time forward and says so', () => {
    expect(parseAt('2026-03-08 02:30', now, 'America/New_York')).toEqual({
      at: Date.parse('2026-03-08T07:30:00Z'),
      zone: 'America/New_York',
      warning:
        '2026-03-08 02:30 does not exist in America/New_York, where the clocks are put forward; 2026-03-08T03:30:00-04:00 is taken',
    });
  });

  test('knows clocks that move by half an hour, at midnight, and by a whole day', () => {
    // Lord Howe goes from +10:30 to +11 at 02:00.
    expect(rfc3339(parseAt('2026-10-04 02:15', now, 'Australia/Lord_Howe').at)).toBe(
      '2026-10-03T15:45:00.000Z',
    );
    // Santiago skips midnight itself, so a bare date means 01:00.
    expect(parseAt('2026-09-06', now, 'America/Santiago')).toMatchObject({
      at: Date.parse('2026-09-06T04:00:00Z'),
      warning: expect.stringContaining('2026-09-06T01:00:00-03:00'),
    });
    const in2011 = Date.parse('2011-12-01T00:00:00Z');
    expect(rfc3339(parseAt('2011-12-30 12:00', in2011, 'Pacific/Apia').at)).toBe('2011-12-30T22:00:00.000Z');
  });

  test('names a zone that does not exist', () => {
    expect(() => parseAt('2h', now, 'Mars/Olympus')).toThrow('"Mars/Olympus" is not a time zone');
  });

  test('gives back the first instant at which the clocks show the time that was typed', () => {
    fc.assert(
      fc.property(minuteAhead, zone, (instant, timeZone) => {
        const typed = wallOf(instant, timeZone);
        const { at, warning } = parseAt(typed, now - day, timeZone);

        expect(wallOf(at, timeZone)).toBe(typed);
        expect(at).toBeLessThanOrEqual(instant);
        if (at !== instant) expect(warning).toContain('occurs twice');
        expect(warning === undefined || warning.includes('occurs twice')).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('finds an instant for every local time, and warns exactly when it is not the only one', () => {
    fc.assert(
      fc.property(minuteAhead, zone, (wall, timeZone) => {
        const typed = rfc3339(wall).slice(0, 16).replace('T', ' ');
        const { at, warning } = parseAt(typed, now - day, timeZone);

        // All offsets on earth are multiples of 15 minutes between -12 and +14 hours.
        const shown = [];
        for (let offset = 14 * 60; offset >= -12 * 60; offset -= 15) {
          const candidate = wall - offset * 60_000;
          if (wallOf(candidate, timeZone) === typed) shown.push(candidate);
        }
        if (shown.length === 0) {
          expect(wallOf(at, timeZone) > typed).toBe(true);
          expect(warning).toContain('does not exist');
        } else {
          expect(at).toBe(shown[0]);
          expect(warning !== undefined).toBe(shown.length > 1);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('around every change of the clocks of a year, is the first instant or moves forward', () => {
    for (const timeZone of zones) {
      for (const change of changesOfClocks(timeZone)) {
        for (let minutes = -90; minutes <= 90; minutes += 15) {
          const instant = change + minutes * 60_000;
          const { at } = parseAt(wallOf(instant, timeZone), now - day, timeZone);
          expect(wallOf(at, timeZone)).toBe(wallOf(instant, timeZone));
          expect(at).toBeLessThanOrEqual(instant);
        }
      }
    }
  });

  test('is shown in a zone so that it can be read back', () => {
    fc.assert(
      fc.property(minuteAhead, zone, (instant, timeZone) => {
        expect(parseInstant(showInZone(instant, timeZone))).toBe(instant);
      }),
    );
  });

  test('is a time or an AppError for any text', () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^[0-9TtZz :.+smhdw-]{0,30}$/),
      fc.stringMatching(/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)?$/),
    );
    fc.assert(
      fc.property(text, zone, (anything, timeZone) => {
        try {
          const { at } = parseAt(anything, now, timeZone);
          expect(at).toBeGreaterThanOrEqual(now - 30_000);
          expect(at).toBeLessThanOrEqual(now + horizonMs);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad_request' });
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a look-back filter', () => {
  test.each([
    ['30m', now - 1_800_000],
    ['2h', now - 7_200_000],
    ['7D', now - 7 * day],
    ['2w', now - 14 * day],
    ['999999999w', 0],
    ['2026-02-01T00:00:00+01:00', Date.parse('2026-01-31T23:00:00Z')],
  ])('reads %s', (text, instant) => {
    expect(parsePast(text, now, 'UTC')).toBe(instant);
  });

  test.each(['2026-02-01', '2026-02-01T00:00:00', '2026-02-01 00:00'])(
    'reads %j in the zone it is given',
    (text) => {
      expect(parsePast(text, now, 'UTC')).toBe(Date.parse('2026-02-01T00:00:00Z'));
      expect(parsePast(text, now, 'Asia/Kolkata')).toBe(Date.parse('2026-01-31T18:30:00Z'));
    },
  );

  test.each(['30s', '', 'yesterday', '2026-02-30', '2026-02-01T00:00:00 Europe/Berlin'])(
    'refuses %j, listing what it accepts',
    (text) => {
      expect(() => parsePast(text, now, 'UTC')).toThrow(/is not a time: expected 30m, 2h, 7d or 2w ago; /);
    },
  );

  test('reads back every instant the API shows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (instant) => {
        expect(parsePast(rfc3339(instant), now, 'UTC')).toBe(instant);
      }),
    );
  });
});

describe('a duration', () => {
  test.each([
    [0, '0ms'],
    [350, '350ms'],
    [1500, '1.5s'],
    [9999, '9.9s'],
    [12_000, '12s'],
    [200_000, '3m 20s'],
    [7_500_000, '2h 5m'],
    [7_200_000, '2h'],
    [3 * day, '3d'],
    [3 * day + 59_000, '3d'],
    [-61_000, '-1m 1s'],
  ])('of %d ms reads %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('of one number and one unit is read in any case', () => {
    const units = { s: 1000, m: 60_000, h: 3_600_000, d: day, w: 7 * day };
    fc.assert(
      fc.property(
        fc.nat(999_999),
        fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])),
        (count, unit) => {
          expect(parseDuration(`${count}${unit}`)).toBe(count * units[unit]);
          expect(parseDuration(` ${count}${unit.toUpperCase()} `)).toBe(count * units[unit]);
        },
      ),
    );
  });

  test('of anything else is refused with examples', () => {
    expect(() => parseDuration('soon')).toThrow(AppError);
    expect(() => parseDuration('soon')).toThrow('"soon" is not a duration: expected 45s; 30m; 2h; 3d; 1w');
  });
});

/** Instants, to the minute, at which a zone's clocks are put forward or back in the year ahead. */
function changesOfClocks(timeZone: string): number[] {
  const offsetAt = (at: number) => showInZone(at, timeZone).slice(19);
  const changes: number[] = [];
  for (let at = now; at < now + 365 * day; at += day) {
    if (offsetAt(at) === offsetAt(at + day)) continue;
    let [low, high] = [at, at + day];
    while (high - low > 60_000) {
      const middle = low + Math.floor((high - low) / 120_000) * 60_000;
      if (offsetAt(middle) === offsetAt(low)) low = middle;
      else high = middle;
    }
    changes.push(high);
  }
  return changes;
}
