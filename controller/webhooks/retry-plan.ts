import type { Instant, Random } from '../../shared/clock.ts';

export const maxAttempts = 10;
const firstMs = 10_000;
const factor = 3;
const ceilingMs = 24 * 3_600_000;

/**
 * How long after an attempt that failed the next one comes: full jitter under 10 s, 30 s, 90 s … 18 h, together about 27 h at most. What the
 * receiver asks for (`Retry-After`, in seconds or as a date) is waited for besides, up to 24 h. Undefined after the last attempt.
 */
export function retryDelayMs(
  attempts: number,
  { random, now, retryAfter }: { random: Random; now: Instant; retryAfter: string | undefined },
): number | undefined {
  if (attempts >= maxAttempts) return undefined;
  const jitter = random.fraction() * Math.min(ceilingMs, firstMs * factor ** (attempts - 1));
  return Math.round(Math.min(ceilingMs, jitter + askedMs(retryAfter, now)));
}

function askedMs(retryAfter: string | undefined, now: Instant): number {
  if (retryAfter === undefined) return 0;
  const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
