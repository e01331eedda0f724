import type { Readable } from 'node:stream';
import type { Clock, Random } from '../shared/clock.ts';

/** A stream people may be reading. */
export interface OutStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** Everything the command line has around it: streams, environment, Ctrl-C, time. */
export interface Terminal {
  stdin: Readable & { isTTY?: boolean };
  stdout: OutStream;
  stderr: OutStream;
  env: Record<string, string | undefined>;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  clock: Clock;
  random: Random;
}

/** Somebody is there to answer a question. */
export const isInteractive = ({ stdin, stderr }: Terminal): boolean =>
  stdin.isTTY === true && stderr.isTTY === true;
