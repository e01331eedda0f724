const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/**
 * What the clocks of a zone show, minute by minute, as far as a test looks. It knows nothing of offsets or rules: it reads the clock
 * where it may have been changed, and counts minutes in between.
 */
export class ClockByMinutes {
  readonly #from: number;
  /** Reading at each quarter of an hour since `from`, as minutes since 1970 of a clock without a zone. */
  readonly #quarters: number[] = [];

  constructor(zone: string, from: number, until: number) {
    this.#from = from;
    const format = new Intl.DateTimeFormat('sv-SE', {
      timeZone: zone,
      dateStyle: 'short',
      timeStyle: 'short',
    });
    const read = (at: number) => Date.parse(`${format.format(at).replace(' ', 'T')}Z`) / minuteMs;
    let last = read(from);
    for (let at = from; at < until; at += hourMs) {
      const next = read(at + hourMs);
      // Clocks are changed on a quarter of an hour.
      for (let quarter = 0; quarter < 4; quarter += 1) {
        this.#quarters.push(next - last === 60 ? last + 15 * quarter : read(at + quarter * 15 * minuteMs));
      }
      last = next;
    }
  }

  /** Minutes since 1970 that the clock shows. */
  reading(at: number): number {
    const minutes = (at - this.#from) / minuteMs;
    const quarter = this.#quarters[Math.floor(minutes / 15)];
    if (quarter === undefined) throw new Error(`${new Date(at).toISOString()} was not read`);
    return quarter + (minutes % 15);
  }

  /** Moments at which the clock does not show one minute more than a minute before. */
  changes(from: number, until: number): number[] {
    const found: number[] = [];
    for (let at = from; at < until; at += 15 * minuteMs) {
      if (this.reading(at) !== this.reading(at - minuteMs) + 1) found.push(at);
    }
    return found;
  }
}

/**
 * When an expression fires, found by looking at every minute: what the clock shows for the first time fires when it is named, a rhythm
 * (a wildcard as minute or hour) also when it is shown again; readings that were left out fire with the minute that follows them,
 * unless every hour is named.
 */
export function firingsByMinutes(text: string, clock: ClockByMinutes, from: number, until: number): number[] {
  const [minute = '', hour = ''] = text.split(' ');
  const isRhythm = minute.includes('*') || hour.includes('*');
  const everyHour = hour === '*' || hour === '*/1';
  const names = matcher(text);
  const found: number[] = [];
  let highest = Math.max(...lately(clock, from));
  let before = clock.reading(from - minuteMs);
  for (let at = from; at < until; at += minuteMs) {
    const now = clock.reading(at);
    let fires = names(now) && (isRhythm || now > highest);
    for (let skipped = before + 1; skipped < now && !everyHour; skipped += 1) fires ||= names(skipped);
    if (fires) found.push(at);
    highest = Math.max(highest, now);
    before = now;
  }
  return found;
}

/** What the clock showed in the day before. */
const lately = (clock: ClockByMinutes, from: number): number[] =>
  Array.from({ length: 26 * 4 }, (_, quarter) => clock.reading(from - minuteMs - quarter * 15 * minuteMs));

function matcher(text: string): (reading: number) => boolean {
  const [minutes, hours, days, months, weekdays] = text
    .toUpperCase()
    .replace('SUN', '0')
    .split(' ')
    .map((field, at) =>
      named(field, [0, 0, 1, 1, 0][at] ?? 0, [59, 23, 31, 12, 7][at] ?? 0),
    ) as Set<number>[];
  const [, , dayText, , weekdayText] = text.split(' ');
  return (reading) => {
    const date = new Date(reading * minuteMs);
    if (!minutes?.has(date.getUTCMinutes()) || !hours?.has(date.getUTCHours())) return false;
    if (!months?.has(date.getUTCMonth() + 1)) return false;
    const isDay = days?.has(date.getUTCDate()) === true;
    const weekday = date.getUTCDay();
    const isWeekday = weekdays?.has(weekday) === true || (weekday === 0 && weekdays?.has(7) === true);
    if (dayText === '*') return weekdayText === '*' || isWeekday;
    return weekdayText === '*' ? isDay : isDay || isWeekday;
  };
}

function named(field: string, low: number, high: number): Set<number> {
  const values = new Set<number>();
  for (const item of field.split(',')) {
    const [range = '', step = '1'] = item.split('/');
    const [first = '', last = first] = range.split('-');
    const [from, to] = range === '*' ? [low, high === 7 ? 6 : high] : [Number(first), Number(last)];
    for (let value = from; value <= to; value += Number(step)) values.add(value);
  }
  return values;
}
