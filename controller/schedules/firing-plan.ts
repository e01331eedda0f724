import type { Instant } from '../../shared/clock.ts';

export interface FiringPlan {
  /** The time that fires now; undefined when all that came are too old. */
  fireAt: Instant | undefined;
  /** Times that came and do not fire: the first of them, and a sentence. */
  missed: { at: Instant; reason: string } | undefined;
  /** The time that follows; undefined when there is none. */
  next: Instant | undefined;
}

/** So many missed times are counted; beyond that they are only said to be more. */
const maxCounted = 1_000;

/**
 * What a time that has come means now. Of the times since, the newest fires when it is not older than `graceMs`; all others are missed,
 * and told as one.
 */
export function planFiring(
  due: Instant,
  now: Instant,
  { graceMs, nextAfter }: { graceMs: number; nextAfter: (at: Instant) => Instant | undefined },
): FiringPlan {
  const oldest = now - graceMs;
  let fireAt = due >= oldest ? due : nextAfter(oldest - 1);
  if (fireAt !== undefined && fireAt > now) fireAt = undefined;
  let next = nextAfter(now);
  for (let at = fireAt; at !== undefined && at <= now; at = nextAfter(at)) {
    fireAt = at;
    next = nextAfter(at);
  }
  return { fireAt, missed: due === fireAt ? undefined : missedOf(due, fireAt ?? now + 1, nextAfter), next };
}

function missedOf(
  first: Instant,
  before: Instant,
  nextAfter: (at: Instant) => Instant | undefined,
): FiringPlan['missed'] {
  let count = 0;
  let last = first;
  for (let at: Instant | undefined = first; at !== undefined && at < before && count <= maxCounted; ) {
    last = at;
    count += 1;
    at = nextAfter(at);
  }
  const iso = (at: Instant) => new Date(at).toISOString();
  const reason =
    count === 1
      ? `missed: the controller was not there at ${iso(first)}`
      : `missed: ${count > maxCounted ? `more than ${maxCounted}` : count} times from ${iso(first)}${count > maxCounted ? '' : ` to ${iso(last)}`}, when the controller was not there`;
  return { at: first, reason };
}
