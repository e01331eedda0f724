import type { Instant } from './clock.ts';
import { AppError } from './errors.ts';

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** How far in the past a wanted time may lie, so that a clock that is a little off does not refuse "now". */
export const pastToleranceMs = 30_000;
/** How far ahead a task may be deferred: the same date next year, also over a leap day. */
export const horizonMs = 366 * unitMs.d;

/** What `--at` accepts, for help texts and errors. */
export const atForms = [
  '45s, 30m, 2h, 3d or 1w from now',
  '2026-05-12T03:00:00Z or 2026-05-12T03:00:00-03:00 (RFC 3339)',
  '2026-05-12 03:00 or 2026-05-12T03:00:00 in your zone',
  '2026-05-12 (midnight in your zone)',
  'nothing (now)',
] as const;

/** What filters on creation time accept. */
export const pastForms = [
  '30m, 2h, 7d or 2w ago',
  '2026-05-12T03:00:00Z or 2026-05-12T03:00:00-03:00 (RFC 3339)',
  '2026-05-12 03:00, 2026-05-12T03:00:00 or 2026-05-12',
] as const;

export interface WantedTime {
  at: Instant;
  /** The zone in which a time without one was read, for telling people. */
  zone: string;
  /** Says what was made of a local time that occurs twice or never. */
  warning?: string;
}

/** The whole grammar of `--at`. `zone` is the IANA zone of the person who typed it. */
export function parseAt(text: string, now: Instant, zone: string): WantedTime {
  const value = text.trim();
  const wanted = readAt(value, now, zone);
  if (wanted === undefined) throw unreadable('time', text, atForms);

  if (wanted.at < now - pastToleranceMs)
    throw new AppError('bad_request', `The time ${value} is in the past: it means ${rfc3339(wanted.at)}`);
  if (wanted.at > now + horizonMs)
    throw new AppError(
      'bad_request',
      `The time ${value} is more than a year ahead: at most 366d is possible`,
    );
  return wanted;
}

function readAt(value: string, now: Instant, zone: string): WantedTime | undefined {
  requireZone(zone);
  if (value === '') return { at: now, zone };

  const offset = readDuration(value);
  if (offset !== undefined) return { at: now + offset, zone };

  const exact = parseInstant(value);
  if (exact !== undefined) return { at: exact, zone };

  // Whatever ends in a zone has failed above and has no reading here: it is never taken for local time.
  const wall = readWallTime(value);
  return wall === undefined ? undefined : resolveWallTime(value, wall, zone);
}

/** A look-back filter: `7d` ago, RFC 3339, or a local time of `zone`. */
export function parsePast(text: string, now: Instant, zone: string): Instant {
  const value = text.trim();
  const back = /s$/i.test(value) ? undefined : readDuration(value);
  // Before 1970 there is nothing to find, and dates stay printable.
  if (back !== undefined) return Math.max(0, now - back);

  const exact = parseInstant(value);
  if (exact !== undefined) return exact;
  const wall = readWallTime(value);
  if (wall === undefined) throw unreadable('time', text, pastForms);
  return resolveWallTime(value, wall, zone).at;
}

/** `45s`, `30m`, `2h`, `3d`, `1w`, any case: milliseconds. */
export function parseDuration(text: string): number {
  const duration = readDuration(text.trim());
  if (duration === undefined) throw unreadable('duration', text, ['45s', '30m', '2h', '3d', '1w']);
  return duration;
}

function readDuration(value: string): number | undefined {
  const match = /^(\d{1,9})([smhdw])$/i.exec(value);
  if (match === null) return undefined;
  const unit = (match[2] ?? '').toLowerCase() as keyof typeof unitMs;
  return Number(match[1]) * unitMs[unit];
}

/** For people, two units at most, rounded down: `350ms`, `1.5s`, `12s`, `3m 20s`, `2h 5m`, `3d`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 1000) return `${Math.floor(ms)}ms`;
  if (ms < 10_000) return `${Math.floor(ms / 100) / 10}s`;

  const names = ['d', 'h', 'm', 's'] as const;
  const largest = names.findIndex((name) => ms >= unitMs[name]);
  const parts: string[] = [];
  let rest = ms;
  for (const name of names.slice(largest, largest + 2)) {
    const count = Math.floor(rest / unitMs[name]);
    rest -= count * unitMs[name];
    if (count > 0) parts.push(`${count}${name}`);
  }
  return parts.join(' ');
}

/** RFC 3339 in UTC, as the API shows every time. */
export const rfc3339 = (at: Instant): string => new Date(at).toISOString();

/** RFC 3339 with date, time, seconds and zone, fractions cut to milliseconds; undefined when the text is anything else. */
export function parseInstant(text: string): Instant | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/.exec(
    text,
  );
  if (match === null) return undefined;
  const [, date = '', hour, minute, second, fraction = '', sign, zoneHours = '0', zoneMinutes = '0'] = match;
  const leapSecond = second === '60';
  const wall = readWallTime(`${date}T${hour}:${minute}:${leapSecond ? '59' : second}`);
  if (wall === undefined || Number(zoneHours) > 23 || Number(zoneMinutes) > 59) return undefined;

  const zoneMs = Number(zoneHours) * unitMs.h + Number(zoneMinutes) * unitMs.m;
  const at = sign === '-' ? wall + zoneMs : wall - zoneMs;
  // A leap second exists only at the end of a UTC day; like POSIX time it counts as the second after it.
  if (leapSecond) return (at + 1000) % unitMs.d === 0 ? at + 1000 : undefined;
  return at + Number(fraction.slice(0, 3).padEnd(3, '0'));
}

/** Milliseconds of a wall clock's reading, as if it were UTC. */
type WallTime = number;

function readWallTime(value: string): WallTime | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d))?)?$/.exec(value);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map((part: string | undefined) => Number(part ?? 0));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // 31 April would silently become 1 May.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  return date.setUTCHours(hour, minute, second, 0);
}

/**
 * The instant at which the clocks of `zone` show `wall`. Every candidate lies within 15 hours of `wall`, so the offsets a day
 * before and a day after are the only ones that can apply.
 */
function resolveWallTime(value: string, wall: WallTime, zone: string): WantedTime {
  const before = zoneOffset(wall - unitMs.d, zone);
  const after = zoneOffset(wall + unitMs.d, zone);
  const hits = [...new Set([before, after])]
    .map((offset) => wall - offset)
    .filter((at) => at + zoneOffset(at, zone) === wall)
    .sort((left, right) => left - right);

  const [first, second] = hits;
  if (first === undefined) {
    const at = wall - before;
    const warning = `${value} does not exist in ${zone}, where the clocks are put forward; ${showInZone(at, zone)} is taken`;
    return { at, zone, warning };
  }
  if (second === undefined) return { at: first, zone };
  const warning = `${value} occurs twice in ${zone}; the first, ${showInZone(first, zone)}, is taken`;
  return { at: first, zone, warning };
}

/** RFC 3339 with the offset of the zone at that moment. */
export function showInZone(at: Instant, zone: string): string {
  const offset = zoneOffset(at, zone);
  const minutes = Math.abs(Math.trunc(offset / unitMs.m));
  const two = (number: number) => String(number).padStart(2, '0');
  const shown = `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  return `${new Date(at + offset).toISOString().slice(0, 19)}${shown}`;
}

/** Milliseconds that the clocks of `zone` are ahead of UTC at that moment. */
function zoneOffset(at: Instant, zone: string): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of zoneFormat(zone).formatToParts(at)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  const wall = new Date(0).setUTCFullYear(year, month - 1, day) + hour * unitMs.h + minute * unitMs.m;
  return wall + second * unitMs.s - Math.floor(at / 1000) * 1000;
}

const zoneFormat = (zone: string) =>
  new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'iso8601',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });

function requireZone(zone: string): void {
  try {
    zoneFormat(zone);
  } catch (cause) {
    throw new AppError(
      'bad_request',
      `${JSON.stringify(zone)} is not a time zone: expected a name such as Europe/Berlin or UTC`,
      { cause },
    );
  }
}

const unreadable = (what: string, text: string, forms: readonly string[]) =>
  new AppError(
    'bad_request',
    `${JSON.stringify(text.slice(0, 100))} is not a ${what}: expected ${list(forms)}`,
    {
      detail: { accepted: forms },
    },
  );

const list = (forms: readonly string[]): string => forms.join('; ');
