import { Cron } from 'croner';
import type { Instant } from '../../shared/clock.ts';
import { parseCronFields } from './cron-grammar.ts';
import type { Zone } from './zones.ts';

const minuteMs = 60_000;
/** No zone puts its clocks back by more than this. */
const longestRepeatMs = 25 * 60 * minuteMs;

/** Milliseconds of a wall clock's reading, as if it were UTC. */
type WallTime = number;

/** A checked expression. Which readings of a clock it names is the library's business; what clocks do is told by a zone. */
export interface CronExpression {
  /** As given, with single blanks. */
  text: string;
  /** The first reading after this one that the expression names. */
  nextWall(after: WallTime): WallTime | undefined;
  /** Names every hour: an hour that is skipped needs no firing of its own, the next one is near. */
  everyHour: boolean;
  /** Has a wildcard as minute or hour: it means a rhythm, which goes on through a repeated hour. */
  isRhythm: boolean;
}

/** Throws 400 with a sentence that names the mistake. */
export function parseCron(text: string): CronExpression {
  const fields = parseCronFields(text);
  // An offset of zero makes the library count on a clock that nothing ever puts forward or back.
  const engine = new Cron(fields.text, { mode: '5-part', utcOffset: 0, paused: true });
  return {
    text: fields.text,
    nextWall: (after) => engine.nextRun(new Date(after))?.getTime(),
    everyHour: fields.hour.text === '*' || fields.hour.text === '*/1',
    isRhythm: fields.minute.text.includes('*') || fields.hour.text.includes('*'),
  };
}

/**
 * The first firing after `after`.
 *
 * - A reading that the clocks skip fires at the first moment after the gap (once, however many were skipped), unless the expression
 *   names every hour.
 * - A reading that occurs twice fires at its first occurrence; a rhythm fires at both.
 */
export function nextFiring(cron: CronExpression, zone: Zone, after: Instant): Instant | undefined {
  let from = Math.floor(after / minuteMs) * minuteMs;
  let offset = zone.offset(from);
  let wallAfter = from + offset;
  if (!cron.isRhythm) wallAfter = Math.max(wallAfter, lastRepeated(zone, from));
  for (;;) {
    const wall = cron.nextWall(wallAfter);
    if (wall === undefined) return undefined;
    const candidate = wall - offset;
    const change = zone.nextChange(from, candidate);
    if (change === undefined) return candidate;

    const newOffset = zone.offset(change);
    const [old, fresh] = [change + offset, change + newOffset];
    if (fresh > old && !cron.everyHour) {
      const skipped = cron.nextWall(old - minuteMs);
      if (skipped !== undefined && skipped < fresh) return change;
    }
    wallAfter = (fresh > old || cron.isRhythm ? fresh : old) - minuteMs;
    from = change;
    offset = newOffset;
  }
}

/** The last reading that had occurred already before the clocks were put back a short while ago. */
function lastRepeated(zone: Zone, at: Instant): WallTime {
  const start = at - longestRepeatMs;
  const before = zone.offset(start);
  if (before <= zone.offset(at)) return -Infinity;
  const change = zone.nextChange(start, at);
  return change === undefined ? -Infinity : change + before - minuteMs;
}
