import { describe, expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { requireZone } from '../../shared/zone-name.ts';
import { parseCronFields } from './cron-grammar.ts';

function refusal(work: () => unknown): { status: number; message: string; reason: unknown } {
  try {
    work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { reason } = error.detail as { reason: unknown };
    return { status: error.status, message: error.message, reason };
  }
  throw new Error('it was not refused');
}

describe('an expression', () => {
  test.each([
    ['0 2 * * *', [2]],
    ['0 */6 * * *', [0, 6, 12, 18]],
    ['0 9 * * 1-5', [9]],
    [' 0  22-23,0-2\t* * SUN ', [0, 1, 2, 22, 23]],
    ['0 1-9/4 1 JAN-mar mon,FRI', [1, 5, 9]],
  ])('%j is taken', (text, hours) => {
    expect(parseCronFields(text).hour.values).toEqual(hours);
  });

  test('of Sunday as 7 is the one of Sunday as 0', () => {
    expect(parseCronFields('0 0 * * 5-7').dayOfWeek.values).toEqual([0, 5, 6]);
    expect(parseCronFields('0 0 * * */2').dayOfWeek.values).toEqual([0, 2, 4, 6]);
  });

  test.each([
    ['0 0 2 * * *', 'seconds', 'has 6 fields: seconds and years are not supported'],
    ['0 0 2 * * * 2027', 'seconds', 'has 7 fields'],
    ['0 2 * *', 'fields', 'has 4 fields'],
    ['', 'fields', 'has 0 fields'],
    ['@daily', 'macro', 'is a macro'],
    ['@reboot', 'macro', 'is a macro'],
    ['0 0 ? * *', 'extension', 'uses ?'],
    ['0 0 L * *', 'extension', 'uses L'],
    ['0 0 15W * *', 'extension', 'uses W'],
    ['0 0 * * MON#1', 'extension', 'uses #'],
    ['0 0 * * 5L', 'extension', 'uses L'],
    ['0 0 31 2 *', 'impossible', 'never fires: no month of it has a day 31'],
    ['0 0 30 2 *', 'impossible', 'never fires'],
    ['0 0 31 4,6,9,11 *', 'impossible', 'never fires'],
    ['60 * * * *', 'syntax', 'expected *, 0 to 59'],
    ['* 24 * * *', 'syntax', 'expected *, 0 to 23'],
    ['* * 0 * *', 'syntax', 'expected *, 1 to 31'],
    ['* * * 13 *', 'syntax', 'expected *, 1 to 12 or JAN to DEC'],
    ['* * * * 8', 'syntax', 'expected *, 0 to 7 or SUN to SAT'],
    ['5/10 * * * *', 'syntax', 'a step follows * or a range'],
    ['*/0 * * * *', 'syntax', 'expected a step from 1 to 60'],
    ['* 22-2 * * *', 'syntax', 'the range goes backwards'],
    ['*,5 * * * *', 'syntax', '* stands alone'],
    ['1,,2 * * * *', 'syntax', 'expected *'],
    ['1- * * * *', 'syntax', 'expected *'],
    ['-1 * * * *', 'syntax', 'expected *'],
    ['x * * * *', 'syntax', 'expected *'],
    ['JAN * * * *', 'syntax', 'expected *'],
    [`${'1,'.repeat(200)}1 * * * *`, 'too_long', 'is too long'],
  ])('%j is refused as %s', (text, reason, message) => {
    const told = refusal(() => parseCronFields(text));
    expect(told).toMatchObject({ status: 400, reason });
    expect(told.message).toContain(message);
  });

  test('that names a weekday too is possible on a day that no month has', () => {
    expect(() => parseCronFields('0 0 31 2 1')).not.toThrow();
    expect(() => parseCronFields('0 0 29 2 *')).not.toThrow();
  });
});

describe('a time zone', () => {
  test.each([
    'UTC',
    'America/New_York',
    'Europe/London',
    'America/Argentina/Ushuaia',
    'Etc/GMT+5',
    'Asia/Kolkata',
  ])('%s is taken', (name) => {
    expect(() => requireZone(name)).not.toThrow();
  });

  test.each([
    ['EST', 'abbreviation'],
    ['GMT', 'abbreviation'],
    ['CET', 'abbreviation'],
    ['EST5EDT', 'abbreviation'],
    ['PDT', 'abbreviation'],
    ['Japan', 'abbreviation'],
    ['+05:30', 'offset'],
    ['UTC+2', 'offset'],
    ['Mars/Phobos', 'unknown_zone'],
    ['america/new_york', 'unknown_zone'],
    ['Neverland', 'unknown_zone'],
    ['', 'unknown_zone'],
  ])('%j is refused as %s', (name, reason) => {
    const told = refusal(() => requireZone(name));
    expect(told).toMatchObject({ status: 400, reason });
    expect(told.message).toContain('expected a full IANA name such as America/New_York');
  });
});
