import { z } from 'zod';
import {
  ConnectAnswer,
  ConnectRequest,
  ConnectStatus,
  Session,
  SessionList,
  SessionQuery,
} from '../../shared/api/sessions.ts';
import { AppError } from '../../shared/errors.ts';
import { SessionPeer } from '../../shared/task-types/connect.ts';
import { lifeOf, type SessionRow } from '../store/sessions.ts';
import { bytesOfBlob } from './device-transfer.ts';
import { listPage, pagingOf } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Call, type Route, route } from './route.ts';
import { sendBytes } from './send-bytes.ts';
import { shownOrNull } from './show-time.ts';
import { rfc3339 } from '../../shared/time.ts';

const root = '/api/v1/organizations/:organization/sessions';
const tag = 'sessions';
const SessionPath = OrganizationPath.extend({
  session: z.string().max(64).describe('id, or code of its task'),
});

const connect = route({
  method: 'POST',
  path: '/api/v1/organizations/:organization/devices/:device/connect',
  role: 'operator',
  tag,
  summary:
    'Open a remote session: makes a CONNECT task, and the token of the operator’s side, shown only now',
  params: OrganizationPath.extend({ device: z.string().max(256) }),
  body: ConnectRequest,
  answer: ConnectAnswer,
  errors: ['unresolved_targets'],
  handle: ({ parts, principal, actor, params, body }) =>
    parts.core.sessions.open(actor, principal.organization, params.device, body),
});

const list = route({
  method: 'GET',
  path: root,
  role: 'viewer',
  tag,
  summary: 'List sessions, newest first',
  params: OrganizationPath,
  query: SessionQuery,
  answer: SessionList,
  handle: async ({ parts, principal, query }) => {
    const filter = {
      ...(query.state === undefined ? {} : { life: query.state }),
      ...(query.device === undefined ? {} : { device: query.device }),
    };
    const page = await parts.store.sessions.list(principal.organization.id, filter, pagingOf(query));
    return listPage(page, query, (row) => showSession(row, principal.organization.name));
  },
});

const describe = route({
  method: 'GET',
  path: `${root}/:session`,
  role: 'viewer',
  tag,
  summary: 'Describe one session',
  params: SessionPath,
  answer: Session,
  handle: async (call) => {
    const row = await find(call, call.params.session);
    // Also those that a device brought whose agent died, and that no result names.
    const recordings = await call.parts.store.blobs.heldBy('recording', row.taskCode);
    return { ...showSession(row, call.principal.organization.name), recordings };
  },
});

const close = route({
  method: 'DELETE',
  path: `${root}/:session`,
  role: 'operator',
  tag,
  summary: 'End a session: the device is asked to, and cut off when it does not',
  params: SessionPath,
  answer: Session,
  errors: ['conflict'],
  handle: async ({ parts, actor, principal, params }) =>
    showSession(await parts.core.sessions.close(actor, params.session), principal.organization.name),
});

const recording = route({
  method: 'GET',
  path: `${root}/:session/recordings/:digest`,
  role: 'operator',
  tag,
  summary: 'Read a recorded shell, as asciicast v2; `Range: bytes=N-` goes on',
  params: SessionPath.extend({ digest: z.string().max(64).describe('SHA-256, hex') }),
  produces: 'application/x-asciicast',
  handle: async (call) => {
    const { parts, params } = call;
    const row = await find(call, params.session);
    const held = await parts.store.blobs.heldBy('recording', row.taskCode);
    if (!held.includes(params.digest)) {
      throw new AppError('not_found', `Session ${row.id} has no recording ${params.digest}`);
    }
    const bytes = await bytesOfBlob(parts, params.digest);
    return sendBytes(call, { ...bytes, type: 'application/x-asciicast', fileName: `${row.taskCode}.cast` });
  },
});

/** States as clients of this resource poll them: COMPLETED says that the session can be joined. */
const connectStatus = route({
  method: 'GET',
  path: '/api/v1/tasks/:task/connect-status',
  role: 'viewer',
  tag,
  summary: 'How far a session is, for clients that poll',
  params: z.strictObject({ task: z.string().max(64) }),
  answer: ConnectStatus,
  handle: async (call) => {
    const row = await find(call, call.params.task);
    const life = lifeOf(row);
    return {
      task: row.taskCode,
      status: life === 'ready' || life === 'open' ? 'COMPLETED' : row.status,
      session_state: life,
      read_only: row.mode === 'readonly',
      payload: life === 'ready' || life === 'open' ? JSON.stringify({ session: row.id }) : null,
      error_message: row.errorMessage,
    };
  },
});

export const sessionRoutes: Route[] = [connect, list, describe, close, recording, connectStatus];

async function find({ parts, principal }: Call, idOrCode: string): Promise<SessionRow> {
  const row = await parts.store.sessions.get(principal.organization.id, idOrCode);
  if (row === undefined) throw new AppError('not_found', `Session ${idOrCode} does not exist`);
  return row;
}

/** What the device counted, once it told. */
const Told = z
  .object({
    reason: z.string().nullable().catch(null),
    streams: z.int().nullable().catch(null),
    peers: z.array(SessionPeer).catch([]),
    recordings: z.array(z.string()).catch([]),
  })
  .catch({ reason: null, streams: null, peers: [], recordings: [] });

function showSession(row: SessionRow, organization: string): Session {
  const told = Told.parse(row.result ?? {});
  return {
    session: row.id,
    task: row.taskCode,
    device_uuid: row.deviceId,
    device_name: row.deviceName,
    organization,
    state: lifeOf(row),
    mode: row.mode,
    opened_by: row.openedBy,
    operator_address: row.operatorAddress,
    created_at: rfc3339(row.createdAt),
    opened_at: shownOrNull(row.operatorAt),
    closed_at: shownOrNull(row.closedAt),
    reason: told.reason ?? row.errorMessage,
    bytes_in: row.bytesIn,
    bytes_out: row.bytesOut,
    streams: told.streams,
    peers: told.peers,
    recordings: told.recordings,
  };
}
