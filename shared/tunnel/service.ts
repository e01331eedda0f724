import { z } from 'zod';

/** What a stream is opened for: the payload of its first frame, JSON. The device's own policy decides; a refusal is a `reset` with the reason. */
export const OpenRequest = z.discriminatedUnion('service', [
  /** Raw bytes to and from a TCP port, with half-close. */
  z.strictObject({
    service: z.literal('tcp'),
    host: z.string().min(1).max(253),
    port: z.int().min(1).max(65_535),
  }),
  /** A login shell on a terminal; both directions are `TerminalRecord`s. */
  z.strictObject({
    service: z.literal('shell'),
    columns: z.int().min(1).max(1000).default(80),
    rows: z.int().min(1).max(1000).default(24),
    term: z
      .string()
      .regex(/^[A-Za-z0-9._+-]{1,64}$/)
      .default('xterm-256color'),
  }),
  /** One command, no shell involved; both directions are `TerminalRecord`s, stdout and stderr apart. */
  z.strictObject({
    service: z.literal('exec'),
    argv: z.array(z.string().max(32_768)).min(1).max(1024),
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(32_768)).default({}),
    cwd: z.string().startsWith('/').max(4096).optional(),
  }),
]);
export type OpenRequest = z.output<typeof OpenRequest>;

export const openRequestBytes = (request: z.input<typeof OpenRequest>): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(request));

/**
 * Inside a `shell` or `exec` stream: type (1 byte), length (4 bytes, big-endian), payload. Towards the device `stdin`, `resize` (columns and rows, 2 bytes each),
 * `signal` (its name) and the stream's own end as the end of standard input; from the device `stdout`, `stderr`, and last `exit` (JSON `ExitReport`).
 */
export const recordTypes = { stdin: 1, stdout: 2, stderr: 3, resize: 4, signal: 5, exit: 6 } as const;
export type RecordType = keyof typeof recordTypes;
export const recordHeaderBytes = 5;
export const maxRecordBytes = 64 * 1024;

export const ExitReport = z.object({ exit_code: z.int().nullable(), signal: z.string().nullable() });
export type ExitReport = z.output<typeof ExitReport>;

/** Signals that an operator may send to what runs. */
export const sentSignals = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGQUIT',
  'SIGKILL',
  'SIGUSR1',
  'SIGUSR2',
] as const;
