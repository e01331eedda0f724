import type { Command } from '@commander-js/extra-typings';
import { durationMs } from '../../arguments/argument-parsers.ts';
import type { SessionWish } from '../../tunnel/operator-session.ts';

export interface SessionOptions {
  readOnly?: true | undefined;
  timeout?: number | undefined;
  idle?: number | undefined;
}

const defaultWaitMs = 5 * 60_000;

/** Options of every command that opens a session. */
export const sessionOptions = (command: Command) =>
  command
    .option('--read-only', 'use only what the device marks as read-only')
    .option('--timeout <duration>', 'how long to wait for the device (default 5m)', durationMs)
    .option('--idle <duration>', 'end after so long without a byte (default 30m)', durationMs);

export const wishOf = (device: string, { readOnly, timeout, idle }: SessionOptions): SessionWish => ({
  device,
  waitMs: timeout ?? defaultWaitMs,
  ...(readOnly ? { mode: 'readonly' as const } : {}),
  ...(idle === undefined ? {} : { idle_seconds: Math.max(1, Math.round(idle / 1000)) }),
});
