import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { minisignPublicKey } from '../../shared/node/minisign.ts';
import type { ReleaseManifest } from '../../shared/release.ts';
import { packSigned } from '../../test/harness/signed-plugin.ts';
import { releaseSigner } from '../../test/harness/signed-release.ts';
import { confinementMissing } from '../../test/harness/confinement.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { DummyJournal } from '../handlers/dummy-context.ts';
import { createPluginInstaller, type InstallParts } from './install-plugin.ts';
import { InstalledPlugins } from './installed-plugins.ts';
import { realContext, writePlugin } from './plugin-under-test.ts';

const isUntested = confinementMissing('installing plugins');
const describes = (version: string, types = '"TRY"'): string =>
  `echo '{"result":{"name":"probe","version":"${version}","task_types":[${types}]}}'`;

let place: ReturnType<typeof temporaryFolder>;
let installed: InstalledPlugins;
let codes = 0;
const releases = (): string => join(place.path, 'releases');
const own = (): string => join(releases(), 'plugins/probe');

beforeEach(() => {
  place = temporaryFolder('install-plugin');
  chmodSync(place.path, 0o755);
  installed = new InstalledPlugins(releases(), pino({ level: 'silent' }));
});
afterEach(() => place[Symbol.dispose]());

interface Given {
  over?: Record<string, unknown>;
  program?: string;
  signed?: Partial<ReleaseManifest>;
  /** Before it is packed. */
  change?: (folder: string) => void;
}

function made(version: string, { over = {}, program = describes(version), signed, change }: Given = {}) {
  const folder = join(place.path, 'source');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  writePlugin(folder, program, { version, ...over });
  change?.(folder);
  return packSigned(folder, { name: 'probe', version }, signed);
}

const partsOf = (archive: Uint8Array): InstallParts => ({
  folder: releases(),
  trusted: { file: '/nonexistent', publicKeys: [minisignPublicKey(releaseSigner)] },
  transfers: {
    async *download() {
      yield archive;
    },
  },
  platform: 'linux-x64',
  users: ['nobody'],
});

const contextOf = (given: object = {}) => {
  codes += 1;
  return Object.assign(realContext(), { code: `task${String(codes).padStart(4, '0')}`, ...given });
};

function install(version: string, given: Given = {}, context = contextOf()) {
  const { archive, wish } = made(version, given);
  return createPluginInstaller(partsOf(archive)).install(wish, context);
}
const remove = (context = contextOf()) =>
  createPluginInstaller(partsOf(Buffer.alloc(0))).remove({ name: 'probe', remove: true }, context);
const trees = (): string[] => readdirSync(own()).filter((name) => !['current', 'floor'].includes(name));

describe.skipIf(isUntested)('a plugin', () => {
  test('is installed, and its types are known at once', async () => {
    expect(installed.types()).toEqual([]);
    expect(await install('1.0.0')).toEqual({ name: 'probe', previous_version: null, version: '1.0.0' });
    expect(installed.types()).toEqual(['PROBE.TRY']);
    expect(installed.versions()).toEqual({ probe: '1.0.0' });
  });

  test('gives way to another version, and two are kept at most', async () => {
    await install('1.0.0');
    for (const version of ['1.1.0', '1.2.0']) await install(version);
    expect(installed.versions()).toEqual({ probe: '1.2.0' });
    expect(
      trees()
        .map((name) => name.split('_')[0])
        .sort(),
    ).toEqual(['1.1.0', '1.2.0']);
    expect(await install('1.0.0')).toMatchObject({ previous_version: '1.2.0', version: '1.0.0' });
  });

  test('is installed once more over itself', async () => {
    await install('1.0.0');
    expect(await install('1.0.0')).toMatchObject({ previous_version: '1.0.0', version: '1.0.0' });
    expect(installed.types()).toEqual(['PROBE.TRY']);
  });

  test('is removed, and once more', async () => {
    await install('1.0.0');
    expect(await remove()).toEqual({ name: 'probe', previous_version: '1.0.0', version: null });
    expect(installed.types()).toEqual([]);
    expect(trees()).toEqual([]);
    expect(await remove()).toEqual({ name: 'probe', previous_version: null, version: null });
  });

  test('that was never there is removed without a trace', async () => {
    expect(await remove()).toEqual({ name: 'probe', previous_version: null, version: null });
    expect(existsSync(own())).toBe(false);
  });

  test('is readable by everybody and writable by nobody, whatever its archive says', async () => {
    await install('1.0.0', {
      change: (folder) => {
        mkdirSync(join(folder, 'data'), { mode: 0o700 });
        writeFileSync(join(folder, 'data/secret'), 'x', { mode: 0o600 });
        writeFileSync(join(folder, 'data/open'), 'x');
        chmodSync(join(folder, 'data/open'), 0o666);
        symlinkSync('open', join(folder, 'data/link'));
      },
    });
    const modes = execFileSync('find', ['current/', '-printf', '%P %m\n'], { cwd: own(), encoding: 'utf8' });
    expect(modes).toContain('data 755');
    expect(modes).toContain('data/secret 644');
    expect(modes).toContain('data/open 644');
    expect(modes).toContain('bin/probe 755');
  });
});

describe.skipIf(isUntested)('the version before stays when another', () => {
  beforeEach(() => install('1.0.0', { signed: { floor: '1.0.0' } }));
  afterEach(() => {
    expect(installed.versions()).toEqual({ probe: '1.0.0' });
    expect(trees()).toHaveLength(1);
  });

  test.each<[string, string, Given]>([
    ['is for another platform', 'wrong_platform', { signed: { platform: 'linux-arm64' } }],
    ['has no plugin.json', 'bad_release', { change: (at) => rmSync(join(at, 'plugin.json')) }],
    ['has no program', 'bad_release', { change: (at) => rmSync(join(at, 'bin/probe')) }],
    [
      'has a program that is not executable',
      'bad_release',
      { change: (at) => chmodSync(join(at, 'bin/probe'), 0o644) },
    ],
    ['says another name', 'bad_release', { over: { name: 'other' } }],
    ['says another version', 'bad_release', { over: { version: '3.0.0' } }],
    [
      'has a manifest that is not valid',
      'bad_release',
      { change: (at) => writeFileSync(join(at, 'plugin.json'), '{"name":"probe"}') },
    ],
    [
      'has a link out of it',
      'bad_release',
      { change: (at) => symlinkSync('/etc/passwd', join(at, 'passwd')) },
    ],
    ['has a link to nothing', 'bad_release', { change: (at) => symlinkSync('nothing', join(at, 'link')) }],
    ['has a pipe', 'bad_release', { change: (at) => execFileSync('mkfifo', [join(at, 'pipe')]) }],
    [
      'has a device',
      'bad_release',
      { change: (at) => execFileSync('mknod', [join(at, 'null'), 'c', '1', '3']) },
    ],
    [
      'has a program with the rights of its owner',
      'bad_release',
      { change: (at) => chmodSync(join(at, 'bin/probe'), 0o4755) },
    ],
    ['has more in it than it says', 'bad_release', { signed: { unpacked_bytes: 512 } }],
    ['wants a user that is not allowed', 'policy', { over: { user: 'daemon' } }],
    ['does not describe itself', 'bad_release', { program: 'exit 0' }],
    ['crashes', 'bad_release', { program: 'echo oh >&2; exit 7' }],
    ['describes another version', 'bad_release', { program: describes('1.0.0') }],
    ['has fewer types than its manifest', 'bad_release', { program: describes('2.0.0', '') }],
    [
      'has a link for its plugin.json',
      'bad_release',
      {
        change: (folder: string) => {
          renameSync(join(folder, 'plugin.json'), join(folder, 'other.json'));
          symlinkSync('other.json', join(folder, 'plugin.json'));
        },
      },
    ],
    [
      'names what is no type',
      'bad_release',
      { program: describes('2.0.0', '{"toString":1},{"toString":2}') },
    ],
    ['has more types than its manifest', 'bad_release', { program: describes('2.0.0', '"TRY","MORE"') }],
    [
      'asks a person what it is',
      'bad_release',
      { program: `echo '{"question":{"prompt":"Who am I?","options":["a","b"]}}'; read -r x` },
    ],
    [
      'does not fit its own limits',
      'bad_release',
      {
        over: { limits: { memory_mb: 16, open_files: 16 } },
        program: `x=$(head -c 40000000 /dev/zero | tr '\\0' x); ${describes('2.0.0')}`,
      },
    ],
  ])('%s', async (_what, code, given) => {
    await expect(install('2.0.0', given)).rejects.toMatchObject({ code });
  });

  test('is older than the floor', async () => {
    await expect(install('0.9.0')).rejects.toMatchObject({ code: 'below_floor' });
  });

  test('is not what was signed', async () => {
    const { archive, wish } = made('2.0.0');
    archive[20] = (archive[20] ?? 0) ^ 1;
    const tampered = createPluginInstaller(partsOf(archive)).install(wish, contextOf());
    await expect(tampered).rejects.toMatchObject({ code: 'bad_signature' });
  });

  test('was signed for another name', async () => {
    const { archive, wish } = made('2.0.0', { signed: { name: 'other' } });
    const renamed = createPluginInstaller(partsOf(archive)).install(wish, contextOf());
    await expect(renamed).rejects.toMatchObject({ code: 'bad_signature' });
  });

  test('does not answer, and the agent is told to stop', async () => {
    const over = new AbortController();
    const context = contextOf({
      signal: over.signal,
      progress: ({ percent }: { percent?: number }) => {
        if (percent === 80) setImmediate(() => over.abort(new TaskError('agent_stopping', 'stops')));
      },
    });
    const stopped = install('2.0.0', { program: 'sleep 60' }, context);
    await expect(stopped).rejects.toMatchObject({ code: 'agent_stopping' });
  });
});

describe.skipIf(isUntested)('the floor of a plugin', () => {
  test('stays when it is removed', async () => {
    await install('2.0.0', { signed: { floor: '2.0.0' } });
    await remove();
    await expect(install('1.0.0')).rejects.toMatchObject({ code: 'below_floor' });
    expect(await install('2.0.0')).toMatchObject({ version: '2.0.0' });
  });
});

describe.skipIf(isUntested)('after a crash or a power cut', () => {
  /** What an installation of 2.0.0 over 1.0.0 has left, and how its second try ends. */
  const pickedUp = async (leave: (tree: string) => void) => {
    await install('1.0.0');
    const journal = new DummyJournal();
    const context = contextOf({ journal });
    journal.write({ previousVersion: '1.0.0' });
    leave(`2.0.0_${context.code}`);
    expect(Object.keys(installed.versions())).toEqual(['probe']); // old or new, and whole
    expect(await install('2.0.0', {}, context)).toEqual({
      ...{ name: 'probe', previous_version: '1.0.0', version: '2.0.0' },
    });
    expect(installed.versions()).toEqual({ probe: '2.0.0' });
    expect(trees().length).toBeLessThanOrEqual(2);
  };
  const unpacked = (name: string): void => {
    const tree = join(own(), name);
    mkdirSync(tree);
    writePlugin(tree, describes('2.0.0'), { version: '2.0.0' });
  };

  test('in the download', () =>
    pickedUp(() => writeFileSync(join(own(), `download-${'a'.repeat(64)}`), 'half of an archive')));

  test('while it was unpacked', () =>
    pickedUp((tree) => {
      mkdirSync(join(own(), `${tree}.tmp`));
      writeFileSync(join(own(), `${tree}.tmp`, 'plugin.json'), '{"name":');
    }));

  test('before the switch', () => pickedUp(unpacked));

  test('in the switch', () =>
    pickedUp((tree) => {
      unpacked(tree);
      symlinkSync(tree, join(own(), 'current.new'));
    }));

  test('after the switch', async () => {
    await install('0.9.0');
    await pickedUp((tree) => {
      unpacked(tree);
      symlinkSync(tree, join(own(), 'current.new'));
      renameSync(join(own(), 'current.new'), join(own(), 'current'));
    });
  });

  test('in a removal', async () => {
    await install('1.0.0');
    const journal = new DummyJournal();
    journal.write({ previousVersion: '1.0.0' });
    rmSync(join(own(), 'current'));
    expect(installed.types()).toEqual([]);
    expect(await remove(contextOf({ journal }))).toEqual({
      ...{ name: 'probe', previous_version: '1.0.0', version: null },
    });
    expect(trees()).toEqual([]);
  });
});

describe('what is on the disk', () => {
  const put = (tree: string, over: Record<string, unknown> = {}): void => {
    mkdirSync(join(own(), tree), { recursive: true });
    writePlugin(join(own(), tree), describes('1.0.0'), over);
    rmSync(join(own(), 'current'), { force: true });
    symlinkSync(tree, join(own(), 'current'));
  };

  test('counts at once, and its manifest is read once', () => {
    put('1.0.0_a');
    const found = installed.find('PROBE.TRY');
    expect(found?.plugin.manifest.version).toBe('1.0.0');
    expect(installed.find('PROBE.TRY')?.contract).toBe(found?.contract);
    put('1.1.0_b', { version: '1.1.0', type: { summary: 'Tries more' } });
    expect(installed.find('PROBE.TRY')?.contract.summary).toBe('Tries more');
    expect(installed.find('PROBE.OTHER')).toBeUndefined();
    expect(installed.find('OTHER.TRY')).toBeUndefined();
  });

  test('and cannot be read is left out', () => {
    put('1.0.0_a');
    cpSync(own(), join(own(), '../fine'), { recursive: true, verbatimSymlinks: true });
    writeFileSync(join(own(), 'current/plugin.json'), '{');
    expect(installed.types()).toEqual([]);
    expect(existsSync(readlinkSync(join(own(), 'current')))).toBe(false);
  });

  test('is told when it became another', () => {
    let times = 0;
    installed.onChange(() => {
      times += 1;
    });
    installed.lookAgain();
    put('1.0.0_a');
    installed.lookAgain();
    installed.lookAgain();
    expect(times).toBe(1);
  });
});
