import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ControllerKeys } from '../../shared/node/controller-keys.ts';
import { signText } from '../../shared/node/keys.ts';
import { systemRandom } from '../../shared/node/system-clock.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { TestClock } from '../../test/harness/test-clock.ts';
import { openStore } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import { createIdentity, loadIdentity } from './identity.ts';
import { finishControllerKeys, rotateControllerKey } from './rotate-controller-key.ts';

let folder: ReturnType<typeof temporaryFolder>;
let store: Store;
const clock = new TestClock();

beforeEach(async () => {
  folder = temporaryFolder('controller-key');
  store = await openStore({ dialect: 'sqlite', path: ':memory:' });
  await store.access.insertOrganization({ id: 'home', name: 'home', displayName: 'home', createdAt: 0 });
});
afterEach(async () => {
  await store.close();
  folder[Symbol.dispose]();
});

const place = () => ({ store, dataFolder: folder.path, clock });
const load = () => loadIdentity(store.settings, folder.path);
const audited = async () =>
  (await store.audit.list({ organizationId: 'home' }, { page: 1, perPage: 9 })).items.map(
    ({ action }) => action,
  );

/** A device that enrolled with this key. */
const device = (pinned: string, controllerId: string) =>
  new ControllerKeys({ controllerId, pinned, now: () => clock.now() });

test('a device follows from the key it knows, over two rotations that it missed', async () => {
  const before = await createIdentity(store.settings, folder.path, systemRandom);
  await rotateControllerKey(place(), before.controllerId, 1000);
  await rotateControllerKey(place(), before.controllerId, 1000);
  const after = await load();
  expect(after.keys.publicKey).not.toBe(before.keys.publicKey);

  const keys = device(before.keys.publicKey, before.controllerId);
  expect(keys.learn(after.keyChanges ?? [])).toBe(2);
  expect(keys.newest).toBe(after.keys.publicKey);
  expect(await audited()).toEqual(['controller.rotate_key', 'controller.rotate_key']);
});

test('finishing ends the overlap although the old key is gone', async () => {
  const before = await createIdentity(store.settings, folder.path, systemRandom);
  await rotateControllerKey(place(), before.controllerId, 60_000);
  const keys = device(before.keys.publicKey, before.controllerId);
  keys.learn((await load()).keyChanges ?? []);
  const byOld = (): boolean => keys.isSigned('order', signText('order', before.keys.privateKey));
  expect(byOld()).toBe(true);

  expect(await finishControllerKeys(place())).toBe(1);
  keys.learn((await load()).keyChanges ?? []);
  expect(byOld()).toBe(false);
  expect(await finishControllerKeys(place())).toBe(0);
});

test('cut off before the old key vouched, nothing changed, and the next rotation takes the key that was made', async () => {
  const before = await createIdentity(store.settings, folder.path, systemRandom);
  const dying = {
    ...place(),
    store: { ...store, settings: store.settings, transaction: () => Promise.reject(new Error('killed')) },
  };
  await expect(rotateControllerKey(dying as never, before.controllerId, 1000)).rejects.toThrow('killed');
  expect((await load()).keys.publicKey).toBe(before.keys.publicKey);
  expect((await load()).keyChanges).toEqual([]);

  await rotateControllerKey(place(), before.controllerId, 1000);
  expect((await load()).keyChanges).toHaveLength(1);
});

test('cut off after the old key vouched, the next start puts the new key in its place', async () => {
  const before = await createIdentity(store.settings, folder.path, systemRandom);
  const key = join(folder.path, 'controller-key.pem');
  copyFileSync(key, join(folder.path, 'kept'));
  await rotateControllerKey(place(), before.controllerId, 1000);
  // As it was on disk before the last step.
  copyFileSync(key, join(folder.path, 'controller-key.next.pem'));
  copyFileSync(join(folder.path, 'kept'), key);

  const after = await load();
  expect(after.keys.publicKey).not.toBe(before.keys.publicKey);
  expect(existsSync(join(folder.path, 'controller-key.next.pem'))).toBe(false);
  const keys = device(before.keys.publicKey, before.controllerId);
  keys.learn(after.keyChanges ?? []);
  expect(keys.newest).toBe(after.keys.publicKey);
});
