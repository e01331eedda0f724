import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { signKeyChange } from '../../shared/node/key-change.ts';
import {
  exportPrivateKey,
  generateKeyPair,
  importPrivateKey,
  keyFingerprint,
  type KeyPair,
} from '../../shared/node/keys.ts';
import { replaceFile } from '../../shared/node/replace-file.ts';
import { parseJson } from '../../shared/parse.ts';
import { ControllerKeyChange, maxKeyChanges, SignedKeyChange } from '../../shared/protocol/key-change.ts';
import type { SettingStore } from '../store/settings.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { controllerActor } from './actor.ts';

export const keyFileName = 'controller-key.pem';
const nextKeyFileName = 'controller-key.next.pem';
const setting = 'controller_key_changes';

/** `finished` is signed at the same time: once the old key is gone nobody can sign for it any more. */
const KeptChange = z.object({ change: SignedKeyChange, finished: SignedKeyChange });
type KeptChange = z.output<typeof KeptChange>;

export interface Rotation {
  store: Store;
  dataFolder: string;
  clock: Clock;
}

/** How the controller's key changed, oldest first, as devices are told. */
export async function keyChanges(settings: SettingStore): Promise<SignedKeyChange[]> {
  return (await kept(settings)).map(({ change }) => change);
}

/**
 * Makes a new key, lets the old one vouch for it, and puts it in its place; the old key is gone then. What it signed is obeyed for
 * `overlapMs` more. Cut off in the middle it is finished by the next start (`settleKey`), or by calling it again, or did not happen.
 */
export async function rotateControllerKey(
  { store, dataFolder, clock }: Rotation,
  controllerId: string,
  overlapMs: number,
): Promise<{ from: string; to: string; oldUntil: number }> {
  const { settings } = store;
  await settleKey(settings, dataFolder);
  const changes = await kept(settings);
  if (changes.length >= maxKeyChanges) {
    throw new AppError(
      'conflict',
      `The key of this controller changed ${maxKeyChanges} times: devices can follow no further`,
    );
  }
  const old = readKey(join(dataFolder, keyFileName));
  const next = nextKey(join(dataFolder, nextKeyFileName));
  const oldUntil = clock.now() + overlapMs;
  const sign = (until: number): SignedKeyChange => {
    const said: ControllerKeyChange = {
      purpose: 'controller-key',
      controller: controllerId,
      old: old.publicKey,
      next: next.publicKey,
      old_until: until,
    };
    return signKeyChange(said, { old, next });
  };
  const outcome = { from: keyFingerprint(old.publicKey), to: keyFingerprint(next.publicKey) };
  await store.transaction(async (tables) => {
    await save(tables.settings, [...changes, { change: sign(oldUntil), finished: sign(0) }]);
    await audit(tables, clock, {
      action: 'controller.rotate_key',
      detail: { ...outcome, old_until: oldUntil },
    });
  });
  await settleKey(settings, dataFolder);
  return { ...outcome, oldUntil };
}

/** What earlier keys signed is obeyed no more, by devices that have heard of it. Returns how many were still in their overlap. */
export function finishControllerKeys({ store, clock }: Omit<Rotation, 'dataFolder'>): Promise<number> {
  return store.transaction(async (tables) => {
    const changes = await kept(tables.settings);
    const ended = changes.filter(({ change }) => said(change).old_until > clock.now()).length;
    await save(
      tables.settings,
      changes.map(({ finished }) => ({ change: finished, finished })),
    );
    await audit(tables, clock, { action: 'controller.finish_key', detail: { ended } });
    return ended;
  });
}

/** Puts a key in its place that the old one vouched for already. A next key without such a statement is left for the next rotation. */
export async function settleKey(settings: SettingStore, dataFolder: string): Promise<void> {
  const path = join(dataFolder, nextKeyFileName);
  if (!existsSync(path)) return;
  const newest = (await kept(settings)).at(-1);
  if (newest === undefined || said(newest.change).next !== readKey(path).publicKey) return;
  renameSync(path, join(dataFolder, keyFileName));
}

const said = ({ statement }: SignedKeyChange): ControllerKeyChange =>
  parseJson('a change of the key of the controller', ControllerKeyChange, statement);

async function kept(settings: SettingStore): Promise<KeptChange[]> {
  const text = await settings.get(setting);
  return text === undefined ? [] : parseJson(setting, z.array(KeptChange), text);
}

const save = (settings: SettingStore, changes: KeptChange[]): Promise<void> =>
  settings.set(setting, JSON.stringify(changes));

function nextKey(path: string): KeyPair {
  if (!existsSync(path)) replaceFile(path, exportPrivateKey(generateKeyPair().privateKey));
  return readKey(path);
}

const readKey = (path: string): KeyPair => importPrivateKey(readFileSync(path, 'utf8'));

/** It concerns every organization. */
async function audit(
  tables: StoreTables,
  clock: Clock,
  { action, detail }: { action: AuditAction; detail: Record<string, unknown> },
): Promise<void> {
  const organizations = await tables.access.organizations();
  await tables.audit.append(
    organizations.map(({ id }) => ({
      at: clock.now(),
      organizationId: id,
      actor: controllerActor(id).name,
      action,
      target: 'controller',
      detail,
      ipAddress: null,
      requestId: null,
    })),
  );
}
