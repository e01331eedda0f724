import { AppError } from './errors.ts';

/** The zone that stands for "of each device its own". */
export const deviceZone = 'device';

/** UTC, or a name with an area: nothing that abbreviates. */
const fullName = /^(UTC|[A-Z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)+)$/;

/** Throws 400 for what is no IANA zone, with a sentence that says which kind of mistake it is. `what`: what the name is of. */
export function requireZone(name: string, what = 'timezone'): void {
  const refused = refusalOf(name, what);
  if (fullName.test(name)) {
    if (isKnown(name)) return;
    throw refused('unknown_zone', 'is not a time zone');
  }
  if (/^[+-]\d/.test(name) || /^(UTC|GMT)[+-]\d/.test(name)) {
    throw refused('offset', 'is an offset, and offsets know no daylight saving time');
  }
  if ((!name.includes('/') && isKnown(name)) || /^[A-Za-z]{2,5}(\d[A-Za-z]{3})?$/.test(name)) {
    throw refused('abbreviation', 'is an abbreviation, and abbreviations mean different places');
  }
  throw refused('unknown_zone', 'is not a time zone');
}

export const isZone = (name: string): boolean => fullName.test(name) && isKnown(name);

function isKnown(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

const refusalOf = (name: string, what: string) => (reason: string, is: string) =>
  new AppError(
    'bad_request',
    `${what} ${JSON.stringify(name.slice(0, 100))} ${is}: expected a full IANA name such as America/New_York, Europe/London or UTC`,
    { detail: { field: 'timezone', reason } },
  );
