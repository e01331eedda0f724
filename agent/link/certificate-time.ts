import type { Instant } from '../../shared/clock.ts';

const aboutTime = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'];

/** What a failure says; of a certificate that is not valid at this time also by which clock: that one is likely to be wrong. */
export function sayClock(error: unknown, said: string, now: Instant): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!aboutTime.includes(code)) return said;
  const time = new Date(now).toISOString();
  return `${said} by the clock of this device, which says ${time}: when that is not the time, mend the clock`;
}
