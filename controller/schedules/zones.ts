import type { Instant } from '../../shared/clock.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** How far the clocks of one zone are from UTC, and when that changes. */
export interface Zone {
  name: string;
  /** Milliseconds that its clocks are ahead of UTC at that moment; whole minutes. */
  offset(at: Instant): number;
  /** The first moment after `from`, up to and with `to`, at which the offset becomes another one. Both lie on whole minutes. */
  nextChange(from: Instant, to: Instant): Instant | undefined;
}

/** Zones by name. Making what formats their times costs far more than asking it, so each is made once; there are some 600 of them. */
export class Zones {
  readonly #known = new Map<string, Zone>();

  /** Throws for a name that does not exist: check it with `requireZone` first. */
  get(name: string): Zone {
    const known = this.#known.get(name);
    if (known) return known;
    const zone = openZone(name);
    this.#known.set(name, zone);
    return zone;
  }
}

function openZone(name: string): Zone {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
  const offset = (at: Instant): number => {
    const text = format.format(at);
    const [, sign, hours = '0', minutes = '0'] = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(text) ?? [];
    const ms = (Number(hours) * 60 + Number(minutes)) * minuteMs;
    return sign === '-' ? -ms : ms;
  };
  const nextChange = (from: Instant, to: Instant): Instant | undefined => {
    let low = from;
    const before = offset(low);
    while (low < to) {
      // No zone changes its clocks and back within a day.
      const high = Math.min(low + dayMs, to);
      if (offset(high) !== before) return firstOther(offset, before, { low, high });
      low = high;
    }
    return undefined;
  };
  return { name, offset, nextChange };
}

/** The first minute in (low, high] whose offset is not `before`. */
function firstOther(
  offset: (at: Instant) => number,
  before: number,
  { low, high }: { low: Instant; high: Instant },
): Instant {
  while (high - low > minuteMs) {
    const middle = low + Math.floor((high - low) / 2 / minuteMs) * minuteMs;
    if (offset(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}
