import { z } from 'zod';
import { taskContract } from './task-type.ts';

/** full: what the device's policy allows. readonly: only what it marks as read-only. */
export const SessionMode = z.enum(['full', 'readonly']);
export type SessionMode = z.output<typeof SessionMode>;

/** A recording ends here and says so; the shell goes on. */
export const maxRecordingBytes = 64 * 1024 * 1024;
/** Shells that one session may record; further ones are refused. */
export const maxRecordings = 100;

/** Who used what in a session. */
export const SessionPeer = z.object({
  service: z.string().max(300).describe('tcp:host:port, shell, or exec:program'),
  streams: z.int(),
  refused: z.int(),
  bytes_in: z.int().describe('towards the device'),
  bytes_out: z.int(),
});
export type SessionPeer = z.output<typeof SessionPeer>;

/** Succeeds when the session was ended by a person or by its limits. Made by `/connect` only. */
export const Connect = taskContract({
  name: 'CONNECT',
  summary: 'Opens a remote session to the device through the controller',
  madeBy: 'connect',
  parameters: z.strictObject({
    session: z.uuid(),
    mode: SessionMode.default('full'),
    opened_by: z.string().max(256),
    pair_seconds: z
      .int()
      .min(1)
      .max(3600)
      .default(300)
      .describe('how long the device waits for the operator'),
    idle_seconds: z.int().min(1).max(86_400).default(1800),
    max_seconds: z.int().min(1).max(604_800).default(28_800),
    record: z.boolean().default(false).describe('record shells (asciicast v2)'),
  }),
  result: z.object({
    reason: z.enum(['operator_ended', 'closed', 'idle', 'limit']),
    message: z.string(),
    duration_ms: z.number(),
    streams: z.int(),
    bytes_in: z.int(),
    bytes_out: z.int(),
    peers: z.array(SessionPeer).max(100),
    recordings: z
      .array(z.string())
      .max(maxRecordings)
      .describe('digests of the recordings that the controller holds'),
  }),
});
export type ConnectParameters = z.output<typeof Connect.parameters>;
export type ConnectResult = z.output<typeof Connect.result>;
