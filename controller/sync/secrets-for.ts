import { AppError } from '../../shared/errors.ts';
import { Manifest } from '../../shared/manifest.ts';
import { ageEncrypt } from '../../shared/node/age.ts';
import { parseJson } from '../../shared/parse.ts';
import { recipientOf } from '../content/desired.ts';
import { VariableSet } from '../content/variable-set.ts';
import type { TaskRow } from '../store/tasks.ts';
import type { VariableRow } from '../store/variables.ts';
import { manifestOf } from './manifest-of.ts';
import type { SyncParts } from './parts.ts';

type Task = Pick<TaskRow, 'deviceId' | 'organizationId' | 'parameters'>;

/**
 * The values that the markers of a task's manifest stand for, JSON `{NAME: value}`, encrypted to the device's own recipient. Throws
 * `conflict` when one is not what it was when the manifest was made: the device would apply what nobody planned.
 */
export async function secretsFor(
  { store, box }: Pick<SyncParts, 'store' | 'box'>,
  task: Task,
): Promise<Uint8Array> {
  const { secrets, generation } = await readManifest({ store }, task);
  const device = await store.devices.get(task.deviceId);
  const recipient = recipientOf(device?.facts ?? null);
  if (device === undefined || recipient === undefined) {
    throw new AppError(
      'conflict',
      'The device has told no encryption recipient: its agent has to tell its facts first',
    );
  }
  const variables = new VariableSet(await store.variables.forDevices(task.organizationId, [device.id]));
  const { secrets: rows } = variables.for(device);
  const changed = Object.entries(secrets).filter(([name, tag]) => rows.get(name)?.tag !== tag);
  if (changed.length > 0) {
    const names = changed.map(([name]) => name).join(', ');
    throw new AppError(
      'conflict',
      `Secret variable ${names} is not what it was when generation ${generation} of ${device.name} was made: sync it again`,
      { detail: { changed: changed.map(([name]) => name) } },
    );
  }
  const values = Object.keys(secrets).map((name) => [name, open(box, rows.get(name))]);
  const text = Buffer.from(JSON.stringify(Object.fromEntries(values)));
  const chunks: Uint8Array[] = [];
  for await (const chunk of ageEncrypt(once(text), [recipient])) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function readManifest({ store }: Pick<SyncParts, 'store'>, task: Task): Promise<Manifest> {
  const row = await manifestOf(store, task);
  const text = row && (await store.texts.get(row.sha256));
  if (text === undefined)
    throw new AppError('not_found', 'The manifest of this task is no longer kept: sync it again');
  return parseJson('The manifest', Manifest, text);
}

function open(box: SyncParts['box'], row: VariableRow | undefined): string {
  const { sealed, keyId } = row ?? {};
  // A secret row has both; its tag has been compared.
  if (row === undefined || typeof sealed !== 'string' || typeof keyId !== 'string') {
    throw new Error('a secret variable without a value');
  }
  return box.unseal({ sealed, keyId }, row);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
