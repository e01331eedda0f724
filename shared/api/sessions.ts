import { z } from 'zod';
import { SessionMode, SessionPeer } from '../task-types/connect.ts';
import { PageQuery, Timestamp, listOf } from './common.ts';

/** waiting: for the device. ready: the device is there, the operator is not. open: both. closed: over. */
export const SessionState = z.enum(['waiting', 'ready', 'open', 'closed']);
export type SessionState = z.output<typeof SessionState>;

/** POST /api/v1/organizations/{organization}/devices/{device}/connect. Honours `Idempotency-Key` but for the token, which is shown once. */
export const ConnectRequest = z.strictObject({
  mode: SessionMode.default('full'),
  idle_seconds: z.int().min(1).max(86_400).optional(),
  max_seconds: z.int().min(1).max(604_800).optional(),
  record: z.boolean().optional(),
  expires_in_seconds: z.int().min(1).max(3600).optional(),
});
export type ConnectRequest = z.output<typeof ConnectRequest>;
export const ConnectAnswer = z.object({
  task: z.string(),
  session: z.string(),
  token: z.string().describe('opens the operator’s side, once; not shown again'),
  path: z.string().describe('where to open it'),
  mode: SessionMode,
  expires_at: Timestamp.nullable(),
});
export type ConnectAnswer = z.output<typeof ConnectAnswer>;

export const Session = z.object({
  session: z.string(),
  task: z.string(),
  device_uuid: z.string(),
  device_name: z.string(),
  organization: z.string(),
  state: SessionState,
  mode: SessionMode,
  opened_by: z.string(),
  operator_address: z.string().nullable(),
  created_at: Timestamp,
  opened_at: Timestamp.nullable(),
  closed_at: Timestamp.nullable(),
  reason: z.string().nullable(),
  bytes_in: z.int().describe('towards the device, as the controller counted on the wire'),
  bytes_out: z.int(),
  streams: z.int().nullable(),
  peers: z.array(SessionPeer),
  recordings: z.array(z.string()),
});
export type Session = z.output<typeof Session>;
export const SessionList = listOf(Session);
/** GET /api/v1/organizations/{organization}/sessions; one: …/sessions/{session}; DELETE ends it; …/sessions/{session}/recordings/{sha256} is asciicast v2. */
export const SessionQuery = z.strictObject({
  state: SessionState.optional(),
  device: z.string().max(256).optional(),
  ...PageQuery,
});
export type SessionQuery = z.output<typeof SessionQuery>;
/** GET /api/v1/tasks/{code}/connect-status, as existing clients poll it: COMPLETED means ready to be joined. */
export const ConnectStatus = z.object({
  task: z.string(),
  status: z.string(),
  session_state: SessionState,
  read_only: z.boolean(),
  payload: z.string().nullable(),
  error_message: z.string().nullable(),
});
export type ConnectStatus = z.output<typeof ConnectStatus>;
