import { Readable } from 'node:stream';
import { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import { signText } from '../../shared/node/keys.ts';
import {
  ArchiveAnswer,
  ArchiveReadable,
  ArchiveReport,
  ProbeAnswer,
  ProbeRequest,
  type ProbeStatement,
  PullAnswer,
  PullReport,
  UploadComplete,
  UploadDone,
  UploadState,
  devicePath,
  probePath,
  uploadOffsetHeader,
} from '../../shared/protocol/transfer.ts';
import { blobOfTask, keepRecording, taskOfDevice, uploadSlot } from './device-transfer.ts';
import { type DeviceCall, type Route, deviceRoute } from './route.ts';
import { sendBytes } from './send-bytes.ts';
import { giveUpIdle } from './slow-requests.ts';

const tag = 'device';
const root = `${devicePath}/tasks/:task`;
const TaskPath = z.strictObject({
  task: z.string().max(64).describe('code of a task of this device that is IN_PROGRESS'),
});
const UploadPath = TaskPath.extend({ name: z.string().max(64).describe('view, raw, archive or manifest') });
const uploadRoot = `${root}/uploads/:name`;

const blob = deviceRoute({
  method: 'GET',
  path: `${root}/blobs/:digest`,
  role: 'device',
  tag,
  summary: 'Read a blob that the task may read; `Range: bytes=N-` goes on',
  params: TaskPath.extend({ digest: z.string().max(64).describe('SHA-256, hex') }),
  produces: 'application/octet-stream',
  errors: ['digest_mismatch'],
  handle: async (call) => {
    const task = await taskOfDevice(call, ['SYNC', 'BACKUP', 'PLUGIN_INSTALL']);
    return sendBytes(call, await blobOfTask(call.parts, task, call.params.digest));
  },
});

const secrets = deviceRoute({
  method: 'POST',
  path: `${root}/secrets`,
  role: 'device',
  tag,
  summary: 'Read the secrets of the task’s manifest, encrypted to the device',
  params: TaskPath,
  body: z.strictObject({}),
  produces: 'application/octet-stream',
  handle: async (call) => {
    const task = await taskOfDevice(call, ['SYNC']);
    const { secretsFor } = call.parts;
    if (secretsFor === undefined) throw new AppError('not_found', `Task ${task.code} has no secrets`);
    const bytes = await secretsFor(task);
    call.reply.type('application/octet-stream').header('content-length', bytes.length);
    return Readable.from([Buffer.from(bytes)]);
  },
});

const uploadState = deviceRoute({
  method: 'GET',
  path: uploadRoot,
  role: 'device',
  tag,
  summary: 'Ask how much of an upload arrived',
  params: UploadPath,
  answer: UploadState,
  handle: async (call) => {
    const slot = await slotOf(call);
    return { offset: await call.parts.content.uploads.offset(slot), max_bytes: slot.maxBytes };
  },
});

const append = deviceRoute({
  method: 'PATCH',
  path: uploadRoot,
  role: 'device',
  tag,
  summary: 'Append to an upload; the header Upload-Offset says where the body begins',
  params: UploadPath,
  consumes: 'application/octet-stream',
  answer: UploadState,
  errors: ['conflict', 'payload_too_large', 'unsupported_media_type', 'unavailable', 'disk_full'],
  handle: async (call) => {
    const { request, parts } = call;
    const slot = await slotOf(call);
    const body = request.body instanceof Readable ? request.body : Readable.from([]);
    const length = request.headers['content-length'];
    giveUpIdle(request);
    const offset = await parts.content.uploads.append(slot, offsetOf(request.headers[uploadOffsetHeader]), {
      stream: body,
      bytes: length === undefined ? undefined : Number(length),
    });
    return { offset, max_bytes: slot.maxBytes };
  },
});

const complete = deviceRoute({
  method: 'POST',
  path: `${uploadRoot}/complete`,
  role: 'device',
  tag,
  summary: 'Say that an upload is complete: it is kept when size and digest are as the device says',
  params: UploadPath,
  body: UploadComplete,
  answer: UploadDone,
  errors: ['conflict', 'digest_mismatch', 'disk_full'],
  handle: async (call) => {
    const slot = await slotOf(call);
    const done = await call.parts.content.uploads.complete(slot, call.body);
    await keepRecording(call.parts, slot, done.sha256);
    return done;
  },
});

const pullReport = deviceRoute({
  method: 'POST',
  path: `${root}/pull`,
  role: 'device',
  tag,
  summary: 'Report what a PULL found',
  params: TaskPath,
  body: PullReport,
  answer: PullAnswer,
  errors: ['conflict'],
  handle: async (call) => call.parts.content.snapshots.report(await taskOfDevice(call, ['PULL']), call.body),
});

const archiveReport = deviceRoute({
  method: 'POST',
  path: `${root}/archive`,
  role: 'device',
  tag,
  summary: 'Report the archive that a BACKUP made, signed by the device',
  params: TaskPath,
  body: ArchiveReport,
  answer: ArchiveAnswer,
  errors: ['conflict', 'digest_mismatch', 'invalid_parameters'],
  handle: async (call) => {
    const task = await taskOfDevice(call, ['BACKUP']);
    const device = await call.parts.store.devices.get(call.device.id);
    if (device === undefined) throw new AppError('not_found', 'This device was removed');
    return call.parts.content.archives.report(task, device, call.body);
  },
});

const archiveReadable = deviceRoute({
  method: 'POST',
  path: `${root}/archive/readable`,
  role: 'device',
  tag,
  summary: 'Report that the archive was read back from the store and decrypted',
  params: TaskPath,
  body: ArchiveReadable,
  answer: ArchiveAnswer,
  errors: ['digest_mismatch'],
  handle: async (call) =>
    call.parts.content.archives.readable(await taskOfDevice(call, ['BACKUP']), call.body),
});

const probe = deviceRoute({
  method: 'POST',
  path: probePath,
  role: 'device',
  tag,
  summary: 'Ask for a signed sign of life, over what was asked',
  body: ProbeRequest,
  answer: ProbeAnswer,
  handle: async ({ parts, device, body }) => {
    const { transaction, nonce, padding } = body;
    const said: ProbeStatement = {
      purpose: 'probe',
      device: device.id,
      transaction,
      nonce,
      at: parts.clock.now(),
    };
    const statement = JSON.stringify(said);
    return { statement, signature: signText(statement, parts.core.identity.keys.privateKey), padding };
  },
});

/** What devices ask for themselves: bulk bytes, and whether the controller is there. */
export const deviceTransferRoutes: Route[] = [
  blob,
  secrets,
  uploadState,
  append,
  complete,
  pullReport,
  archiveReport,
  archiveReadable,
  probe,
];

async function slotOf(call: DeviceCall<z.output<typeof UploadPath>>) {
  return uploadSlot(await taskOfDevice(call, ['PULL', 'BACKUP', 'CONNECT']), call.params.name);
}

function offsetOf(header: string | string[] | undefined): number {
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  throw new AppError(
    'bad_request',
    `Upload-Offset is ${JSON.stringify(header)}: expected the number of bytes before`,
  );
}
