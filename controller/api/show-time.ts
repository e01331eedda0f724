import type { Instant } from '../../shared/clock.ts';
import { rfc3339 } from '../../shared/time.ts';

export const shownOrNull = (at: Instant | null): string | null => (at === null ? null : rfc3339(at));
