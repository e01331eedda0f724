import { Readable } from 'node:stream';
import { AppError } from '../../shared/errors.ts';
import { parseJson } from '../../shared/parse.ts';
import { UploadName } from '../../shared/protocol/transfer.ts';
import { Backup } from '../../shared/task-types/backup.ts';
import { maxRecordingBytes } from '../../shared/task-types/connect.ts';
import { PluginInstall } from '../../shared/task-types/plugin-install.ts';
import { Pull } from '../../shared/task-types/pull.ts';
import { Sync } from '../../shared/task-types/sync.ts';
import type { TaskType } from '../../shared/task-types/task-type.ts';
import { maxManifestBytes } from '../content/archives.ts';
import { type UploadSlot, uploadHolder } from '../content/uploads.ts';
import type { TaskRow } from '../store/tasks.ts';
import type { ApiParts } from './parts.ts';
import type { DeviceCall } from './route.ts';
import type { Bytes } from './send-bytes.ts';

interface TaskParams {
  task: string;
}

/** The task of the path, when this device works on it now; whatever else it is does not exist for the device. */
export async function taskOfDevice(
  { parts, device, params }: DeviceCall<TaskParams>,
  types: TaskType[],
): Promise<TaskRow> {
  const [task] = await parts.store.tasks.getMany([{ deviceId: device.id, code: params.task }]);
  if (task?.status === 'IN_PROGRESS' && types.includes(task.type)) return task;
  throw new AppError(
    'not_found',
    `This device has no ${types.join(' or ')} ${params.task} that is IN_PROGRESS`,
  );
}

/** What tasks of each type bring, and how large it may be. */
export function uploadSlot(task: TaskRow, name: string): UploadSlot {
  const known = UploadName.safeParse(name);
  const maxBytes = known.success ? uploadBounds(task)[known.data] : undefined;
  if (!known.success || maxBytes === undefined) {
    throw new AppError('not_found', `A task of type ${task.type} brings no ${name}`);
  }
  return { code: task.code, name: known.data, maxBytes };
}

function uploadBounds({ code, type, parameters }: TaskRow): Partial<Record<UploadName, number>> {
  const what = `The parameters of task ${code}`;
  if (type === 'PULL') {
    const { max_bytes: maxBytes } = parseJson(what, Pull.parameters, parameters);
    return { view: maxBytes, raw: maxBytes };
  }
  if (type === 'CONNECT') return { recording: maxRecordingBytes };
  if (type !== 'BACKUP') return {};
  return {
    archive: parseJson(what, Backup.parameters, parameters).max_bytes,
    manifest: maxManifestBytes,
  };
}

/** A session may bring several recordings, one after the other: each is held by the session as soon as it is complete. */
export async function keepRecording(
  { content, store }: ApiParts,
  { code, name }: UploadSlot,
  sha256: string,
): Promise<void> {
  if (name !== 'recording') return;
  await store.transaction((tables) =>
    content.blobs.hold(tables, [{ sha256, kind: 'recording', holder: code }]),
  );
}

/** A blob that the task may read: of a SYNC its manifest and the files of it, of a BACKUP what it brought itself, of a PLUGIN_INSTALL its release. */
export async function blobOfTask(parts: ApiParts, task: TaskRow, sha256: string): Promise<Bytes> {
  const found = task.type === 'SYNC' ? await bytesOfSync(parts, task, sha256) : undefined;
  if (found !== undefined) return found;
  if (task.type === 'BACKUP') {
    const own = await parts.store.blobs.heldBy('upload', uploadHolder(task.code, 'archive'));
    if (own.includes(sha256)) return bytesOfBlob(parts, sha256);
  }
  if (task.type === 'PLUGIN_INSTALL') {
    const what = `The parameters of task ${task.code}`;
    const wish = parseJson(what, PluginInstall.parameters, task.parameters);
    if ('sha256' in wish && wish.sha256 === sha256) return bytesOfBlob(parts, sha256);
  }
  throw new AppError('not_found', `Task ${task.code} has no blob ${sha256}`);
}

export async function bytesOfBlob({ content }: ApiParts, sha256: string): Promise<Bytes> {
  const size = await content.blobs.size(sha256);
  return { sha256, size, open: async (range) => (await content.blobs.open(sha256, range)).stream };
}

async function bytesOfSync(parts: ApiParts, task: TaskRow, sha256: string): Promise<Bytes | undefined> {
  const { store } = parts;
  const { manifest } = parseJson(`The parameters of task ${task.code}`, Sync.parameters, task.parameters);
  const mayRead = sha256 === manifest || (await store.manifests.names(task.deviceId, manifest, sha256));
  const text = mayRead ? await store.texts.get(sha256) : undefined;
  if (text === undefined) {
    // Files of a restore are no texts.
    const held = await store.blobs.heldBy('manifest', manifest);
    return held.includes(sha256) ? bytesOfBlob(parts, sha256) : undefined;
  }
  const bytes = Buffer.from(text);
  return {
    sha256,
    size: bytes.length,
    open: async (range) =>
      Readable.from([bytes.subarray(range?.start, (range?.end ?? bytes.length - 1) + 1)]),
  };
}
