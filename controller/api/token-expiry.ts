import type { Instant } from '../../shared/clock.ts';

/** When a token made now ends; null: never. */
export const expiryOf = (expiresInSeconds: number | null, now: Instant): Instant | null =>
  expiresInSeconds === null ? null : now + expiresInSeconds * 1000;
