import { createHash, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generateKeyPair } from '../../shared/node/keys.ts';
import { minisignPublicKey } from '../../shared/node/minisign.ts';
import type { InstallParameters } from '../../shared/task-types/plugin-install.ts';
import { signRelease } from '../../test/harness/signed-release.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { ReleaseFolder, type Trial } from '../releases/release-folder.ts';
import { dummyContext } from './dummy-context.ts';
import {
  createPluginInstallHandler,
  type PluginInstaller,
  type PluginInstallParts,
  type ReleaseGuard,
} from './plugin-install.ts';

const archive = Buffer.from('not an archive at all');

let place: { path: string } & Disposable;
let folder: ReleaseFolder;
let signer: KeyObject;
let fetched: string[];

beforeEach(() => {
  place = temporaryFolder('plugin-install');
  folder = new ReleaseFolder(place.path);
  folder.create();
  signer = generateKeyPair().privateKey;
  fetched = [];
});
afterEach(() => place[Symbol.dispose]());

const guard: ReleaseGuard = {
  requireReady: () => undefined,
  start: async () => undefined,
  confirm: async () => 'not_yet',
};

const noPlugins: PluginInstaller = {
  install: () => Promise.reject(new Error('no plugins here')),
  remove: () => Promise.reject(new Error('no plugins here')),
};

const handlerOf = (over: Partial<PluginInstallParts> = {}) =>
  createPluginInstallHandler(
    {
      folder,
      trusted: { file: '/nonexistent', publicKeys: [minisignPublicKey(signer)] },
      transfers: {
        async *download({ sha256 }) {
          fetched.push(sha256);
          yield archive;
        },
      },
      guard,
      version: '1.0.0',
      platform: 'linux-x64',
      schema: { newest: 1, oldest: 1 },
      ...over,
    },
    noPlugins,
  );

const wishOf = (over: Partial<InstallParameters> = {}): InstallParameters => ({
  version: '1.2.3',
  platform: 'linux-x64',
  sha256: createHash('sha256').update(archive).digest('hex'),
  bytes: archive.length,
  signature: signRelease(archive, {}, signer),
  force: false,
  trial_seconds: 120,
  ...over,
});

const trial = (over: Partial<Trial> = {}): Trial => ({
  state: 'TRIAL',
  task: 'aB3dE6gH',
  version: '1.2.3',
  folder: '1.2.3_aB3dE6gH',
  sha256: 'a'.repeat(64),
  previous: 'package',
  window_ms: 120_000,
  switched_at: '0',
  reason: '',
  ...over,
});

const interrupted = { bootId: 'b', instanceId: 'i', currentBootId: 'b', startedAt: 0 };

describe('before a byte is fetched', () => {
  test.each([
    ['a signature of somebody else', 'bad_signature', () => ({ signature: signRelease(archive) })],
    ['another version than was signed', 'bad_signature', () => ({ version: '9.9.9' })],
    ['another size than was signed', 'bad_signature', () => ({ bytes: 7 })],
    [
      'a release for another platform',
      'wrong_platform',
      () => ({
        platform: 'linux-arm64',
        signature: signRelease(archive, { platform: 'linux-arm64' }, signer),
      }),
    ],
  ])('%s is refused', async (_what, code, over) => {
    await expect(handlerOf().run(wishOf(over()), dummyContext())).rejects.toMatchObject({ code });
    expect(fetched).toEqual([]);
  });

  test('a device without a key takes nothing', async () => {
    const handler = handlerOf({ trusted: { file: '/nonexistent', publicKeys: [] } });
    await expect(handler.run(wishOf(), dummyContext())).rejects.toMatchObject({ code: 'no_release_key' });
  });

  test('what is older than the floor is refused, forced or not', async () => {
    folder.floor.raise('2.0.0');
    folder.floor.raise('1.5.0');
    expect(folder.floor.version).toBe('2.0.0');
    const run = handlerOf().run(wishOf({ force: true }), dummyContext());
    await expect(run).rejects.toMatchObject({ code: 'below_floor' });
  });

  test('what this device went back from is refused unless it is forced', async () => {
    mkdirSync(join(place.path, 'bad'));
    writeFileSync(join(place.path, 'bad', wishOf().sha256), '1.2.3: it crashed\n');
    await expect(handlerOf().run(wishOf(), dummyContext())).rejects.toMatchObject({
      code: 'known_bad',
      message: expect.stringContaining('it crashed'),
    });
    await expect(handlerOf().run(wishOf({ force: true }), dummyContext())).rejects.toMatchObject({
      code: 'bad_release',
    });
  });

  test('while another one is on trial nothing begins', async () => {
    folder.arm(trial({ task: 'other' }));
    await expect(handlerOf().run(wishOf(), dummyContext())).rejects.toMatchObject({ code: 'busy' });
  });
});

test('an archive that is not what was signed is not unpacked', async () => {
  const other: PluginInstallParts['transfers'] = {
    async *download() {
      yield Buffer.from('something else entire');
    },
  };
  const run = handlerOf({ transfers: other }).run(wishOf(), dummyContext());
  await expect(run).rejects.toMatchObject({ code: 'bad_signature' });
  expect(folder.trial()).toBeUndefined();
});

test('what an earlier try brought of the archive is used, and of another one removed', async () => {
  const other = join(place.path, `download-${'0'.repeat(64)}`);
  writeFileSync(other, 'of another release');
  writeFileSync(join(place.path, `download-${wishOf().sha256}`), archive);
  await expect(handlerOf().run(wishOf(), dummyContext())).rejects.toMatchObject({ code: 'bad_release' });
  expect(fetched).toEqual([]);
  expect(existsSync(other)).toBe(false);
});

test('an archive that cannot be unpacked leaves nothing behind', async () => {
  await expect(handlerOf().run(wishOf(), dummyContext())).rejects.toMatchObject({ code: 'bad_release' });
  expect(existsSync(join(folder.versions, '1.2.3_aB3dE6gH.tmp'))).toBe(false);
  expect(folder.trial()).toBeUndefined();
});

describe('a process that finds the task interrupted', () => {
  test('before anything was switched runs it again', async () => {
    expect(await handlerOf().recover?.(wishOf(), interrupted, dummyContext())).toBe('rerun');
  });

  test('reports why the version before came back', async () => {
    folder.arm(trial({ state: 'ROLLED_BACK', reason: 'version 1.2.3 ended 3 times' }));
    await expect(handlerOf().recover?.(wishOf(), interrupted, dummyContext())).rejects.toMatchObject({
      code: 'rolled_back',
      message: 'Back to 1.0.0: version 1.2.3 ended 3 times',
    });
  });

  test('has completed it once it was confirmed, raises the floor, and keeps the version before', async () => {
    for (const name of ['1.2.3_aB3dE6gH', '1.0.0_before', '0.9.0_old', '9.9.9_x.tmp']) {
      mkdirSync(join(folder.versions, name));
    }
    folder.arm(trial({ state: 'CONFIRMED', previous: '1.0.0_before' }));
    const wish = wishOf({ signature: signRelease(archive, { floor: '1.0.0' }, signer) });
    const context = dummyContext();
    context.journal.write({ previousVersion: '1.0.0' });
    expect(await handlerOf({ version: '1.2.3' }).recover?.(wish, interrupted, context)).toMatchObject({
      previous_version: '1.0.0',
      version: '1.2.3',
    });
    expect(folder.floor.version).toBe('1.0.0');
    for (const [name, stays] of Object.entries({
      '1.2.3_aB3dE6gH': true,
      '1.0.0_before': true,
      '0.9.0_old': false,
    })) {
      expect(existsSync(join(folder.versions, name)), name).toBe(stays);
    }
  });

  test('and is not of the version on trial never confirms it', async () => {
    folder.arm(trial());
    const context = dummyContext();
    let asked = 0;
    const watched: ReleaseGuard = { ...guard, confirm: async () => (asked++, 'confirmed') };
    const recovering = handlerOf({ guard: watched }).recover?.(wishOf(), interrupted, context);
    context.abort(new Error('stopped'));
    await expect(recovering).rejects.toThrow('stopped');
    expect(asked).toBe(0);
    expect(context.phases).toEqual([]);
  });
});
