import pico from 'picocolors';
import type { OutStream } from '../terminal.ts';

/** Turns times, states and durations into text for people. */
export interface Paint {
  state(state: string): string;
  faint(text: string): string;
  strong(text: string): string;
  time(timestamp: string | null): string;
  /** One line of a unified diff. */
  diffLine(line: string): string;
}

/** Colour only on a terminal, and not when NO_COLOR or --no-color says so. */
export const wantsColor = (
  stream: OutStream,
  env: Record<string, string | undefined>,
  allowed: boolean,
): boolean => allowed && stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';

export function createPaint(color: boolean, zone: string): Paint {
  const colors = pico.createColors(color);
  const byState: Record<string, (text: string) => string> = {
    COMPLETED: colors.green,
    ENABLED: colors.green,
    online: colors.green,
    pass: colors.green,
    DELIVERED: colors.green,
    FAILED: colors.red,
    STOPPED: colors.red,
    fail: colors.red,
    EXPIRED: colors.yellow,
    CANCELLED: colors.yellow,
    PENDING: colors.yellow,
    quarantined: colors.red,
    warn: colors.yellow,
    IN_PROGRESS: colors.cyan,
    SCHEDULED: colors.blue,
    IN_SYNC: colors.green,
    DRIFT: colors.red,
    ERROR: colors.red,
    UNKNOWN: colors.yellow,
    NEVER_SYNCED: colors.gray,
    applied: colors.green,
    rejected: colors.yellow,
    rolled_back: colors.red,
    rollback_failed: colors.red,
    readable: colors.green,
    restorable: colors.green,
    damaged: colors.red,
    DISABLED: colors.gray,
    offline: colors.gray,
  };
  return {
    state: (state) => (byState[state] ?? String)(state),
    faint: colors.dim,
    strong: colors.bold,
    diffLine(line) {
      if (/^(---|\+\+\+)( |$)/.test(line)) return colors.bold(line);
      const color = { '@': colors.cyan, '+': colors.green, '-': colors.red }[line[0] ?? ''];
      return color === undefined ? line : color(line);
    },
    time: (timestamp) => (timestamp === null ? '' : showTime(timestamp, zone)),
  };
}

/** `2026-05-12 03:00:00 +02:00`: sortable, and says its zone. */
export function showTime(timestamp: string, zone: string): string {
  const parts = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(new Date(timestamp));
  return `${parts} ${offsetOf(timestamp, zone)}`;
}

function offsetOf(timestamp: string, zone: string): string {
  const parts = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' }).formatToParts(
    new Date(timestamp),
  );
  const offset = parts.find(({ type }) => type === 'timeZoneName')?.value.replace('GMT', '') ?? '';
  return offset === '' || offset === '+00:00' ? 'Z' : offset;
}
