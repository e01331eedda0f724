import { AppError } from '../../shared/errors.ts';

/** The zone that stands for "of each device its own". */
export const deviceZone = 'device';

/** UTC, or a name with an area: nothing that abbreviates. */
const fullName = /^(UTC|[A-Z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)+)$/;

/** Throws 400 for what is no IANA zone, with a sentence that says which kind of mistake it is. */
export function requireZone(name: string): void {
  if (fullName.test(name)) {
    if (isKnown(name)) return;
    throw refused(name, 'unknown_zone', 'is not a time zone');
  }
  if (/^[+-]\d/.test(name) || /^(UTC|GMT)[+-]\d/.test(name)) {
    throw refused(name, 'offset', 'is an offset, and offsets know no daylight saving time');
  }
  if ((!name.includes('/') && isKnown(name)) || /^[A-Za-z]{2,5}(\d[A-Za-z]{3})?$/.test(name)) {
    throw refused(name, 'abbreviation', 'is an abbreviation, and abbreviations mean different places');
  }
  throw refused(name, 'unknown_zone', 'is not a time zone');
}

export const isZone = (name: string): boolean => fullName.test(name) && isKnown(name);

function isKnown(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

const refused = (name: string, reason: string, what: string): AppError =>
  new AppError(
    'bad_request',
    `timezone ${JSON.stringify(name.slice(0, 100))} ${what}: expected a full IANA name such as America/New_York, Europe/London or UTC`,
    { detail: { field: 'timezone', reason } },
  );
