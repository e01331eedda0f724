import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Task } from '../../shared/api/tasks.ts';
import { Cluster } from '../harness/cluster.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';
import { builtPackages } from './built-packages.ts';
import { InstalledDevice } from './installed-device.ts';
import { labMissing } from './lab.ts';
import { ReleaseVariants, type Variant } from './release-variants.ts';

const home = '/api/v1/organizations/default';
const releases = '/var/lib/muster-releases';

/** Releases of the agent on a machine with systemd: the version that proves itself stays, every other one goes by itself. */
describe.skipIf(labMissing('installing releases'))('a release of the agent', () => {
  const folder = temporaryFolder('plugin-install');
  let cluster: Cluster;
  let device: InstalledDevice;
  let variants: ReleaseVariants;
  const box = () => device.box;

  const add = async (variant: Variant): Promise<string> => {
    const { exitCode, stderr } = await cluster.muster(['release', 'add', variants.make(variant)]);
    expect(exitCode, stderr).toBe(0);
    return variant.version;
  };
  const install = async (wish: object): Promise<string> => {
    const targets = { devices: [device.name] };
    const body = { targets, trial_seconds: 40, ...wish };
    const answer = await cluster.controller.call('POST', `${home}/plugin-install`, body);
    const [task] = answer['tasks'] as [{ task: string }];
    return task.task;
  };
  const installed = async (wish: object): Promise<Task> =>
    cluster.controller.ended(await install(wish), 300_000);
  /** What the two programs say and are. */
  const running = async (): Promise<string> => {
    const version = (await box().must('muster-agent', 'version')).trim().replace('muster-agent ', '');
    await until(`the controller knows of ${version}`, async () => {
      const told = await cluster.controller.call('GET', cluster.devicePath(device.name));
      return told['online'] === true && told['version'] === version;
    });
    const pid = (await box().must('systemctl', 'show', '--value', '-p', 'MainPID', 'muster-agent')).trim();
    const program = (await box().must('readlink', `/proc/${pid}/exe`)).trim();
    expect(program.startsWith(releases)).toBe(version !== '0.1.0');
    return version;
  };
  const state = async (): Promise<string> => {
    const { stdout } = await box().exec(['sed', '-n', 's/^state=//p', `${releases}/trial`]);
    return stdout.trim();
  };
  const reached = (wanted: string) => until(`the trial is ${wanted}`, async () => (await state()) === wanted);

  beforeAll(async () => {
    variants = await ReleaseVariants.open(join(folder.path, 'releases'));
    cluster = await Cluster.create('plugin-install', {
      config: { releases: { public_keys: [variants.publicKey] } },
    });
    device = await InstalledDevice.enrolled(cluster, 'edge-1');
  }, 300_000);

  afterAll(async () => {
    await device?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test('is refused by a device that trusts nobody, whatever the controller says', async () => {
    await add({ version: '1.0.0', floor: '0.1.0' });
    expect(await installed({ version: '1.0.0' })).toMatchObject({
      status: 'FAILED',
      error_code: 'no_release_key',
    });
    await box().write('/etc/muster/release.pub', variants.publicKey);
  });

  test('that works is installed, promoted, and stays after a reboot', async () => {
    expect(await running()).toBe('0.1.0');
    expect((await cluster.muster(['release', 'promote', '1.0.0'])).exitCode).toBe(0);
    const { exitCode, stderr } = await cluster.muster([
      ...['run', 'plugin-install', '--device', device.name, '--wait', '--timeout', '4m'],
    ]);
    expect(exitCode, stderr).toBe(0);
    expect(await running()).toBe('1.0.0');
    expect(await state()).toBe('CONFIRMED');
    expect(await device.run('REBOOT')).toMatchObject({ status: 'COMPLETED' });
    expect(await running()).toBe('1.0.0');
    expect(await device.run('SCRIPT', { script: 'id -u', user: 'root' })).toMatchObject({
      status: 'COMPLETED',
    });
  });

  test('is installed once more over itself', async () => {
    expect(await installed({ version: '1.0.0' })).toMatchObject({
      status: 'COMPLETED',
      result: { previous_version: '1.0.0', version: '1.0.0' },
    });
    expect(await running()).toBe('1.0.0');
  });

  test('that crashes at its start goes at once, is remembered, and only force tries it again', async () => {
    await add({ version: '1.1.0', fault: 'crashes' });
    const task = await installed({ version: '1.1.0' });
    expect(task).toMatchObject({ status: 'FAILED', error_code: 'rolled_back' });
    expect(task.error_message).toContain('ended 3 times');
    expect(await running()).toBe('1.0.0');
    expect(await installed({ version: '1.1.0' })).toMatchObject({ error_code: 'known_bad' });
    expect(await installed({ version: '1.1.0', force: true })).toMatchObject({ error_code: 'rolled_back' });
    expect(await running()).toBe('1.0.0');
  });

  test('that starts and never talks goes at its deadline', async () => {
    await add({ version: '1.2.0', fault: 'mute' });
    const task = await installed({ version: '1.2.0', trial_seconds: 30 });
    expect(task).toMatchObject({ status: 'FAILED', error_code: 'rolled_back' });
    expect(task.error_message).toContain('did not reach the controller within 30 s');
    expect(await running()).toBe('1.0.0');
  });

  test('that is not what it says it is never runs', async () => {
    await add({ version: '1.3.0', fault: 'mislabelled' });
    expect(await installed({ version: '1.3.0' })).toMatchObject({ error_code: 'bad_release' });
    expect(await running()).toBe('1.0.0');
  });

  test('that somebody changed in the controller’s store does not reach the device', async () => {
    const version = await add({ version: '1.4.0' });
    const { items } = (await cluster.controller.call('GET', `${home}/releases`)) as {
      items: { version: string; sha256: string }[];
    };
    const sha256 = items.find((one) => one.version === version)?.sha256 ?? '';
    const blob = join(cluster.controller.folder, 'blobs', sha256.slice(0, 2), sha256);
    const bytes = readFileSync(blob);
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    writeFileSync(blob, bytes);
    expect(await installed({ version })).toMatchObject({ status: 'FAILED', error_code: 'rejected_fetch' });
    expect(await running()).toBe('1.0.0');
  });

  test('below the floor of one that ran here is refused', async () => {
    await add({ version: '0.0.9' });
    expect(await installed({ version: '0.0.9', force: true })).toMatchObject({ error_code: 'below_floor' });
  });

  test('is not judged by a controller that is down: the trial is extended once, and it stays', async () => {
    await add({ version: '2.0.0' });
    const code = await install({ version: '2.0.0', trial_seconds: 30 });
    await reached('TRIAL');
    await cluster.controller.kill();
    await until(
      'the trial is extended',
      async () => (await box().read(`${releases}/trial`)).includes('extended=1'),
      {
        deadlineMs: 90_000,
      },
    );
    await cluster.controller.start();
    expect(await cluster.controller.ended(code, 180_000)).toMatchObject({ status: 'COMPLETED' });
    expect(await running()).toBe('2.0.0');
  });

  describe('survives a power cut', () => {
    const task = (code: string) => `grep -q ^task=${code} ${releases}/trial`;
    const steps: [string, (code: string) => string][] = [
      ['while it is downloaded', () => `find ${releases} -name 'download-*' -size +0 | grep -q .`],
      ['while it is unpacked', (code) => `[ -e ${releases}/versions/*_${code}.tmp ]`],
      ['before the switch', (code) => `grep -q ^state=ARMED ${releases}/trial && ${task(code)}`],
      ['after the switch', (code) => `grep -q ^state=TRIAL ${releases}/trial && ${task(code)}`],
      ['when it is confirmed', (code) => `grep -q ^state=CONFIRMED ${releases}/trial && ${task(code)}`],
    ];
    const versions = ['2.1.0', '2.2.0'];

    beforeAll(async () => {
      for (const version of versions) await add({ version });
    });

    test.each(steps)('%s', async (_, isReached) => {
      const before = await running();
      const version = versions.find((one) => one !== before) ?? '';
      await box().must('sh', '-c', `rm -f ${releases}/download-*`);
      const code = await install({ version });
      const looking = `until ${isReached(code)}; do :; done 2>/dev/null`;
      expect(await box().exec(['sh', '-c', looking], { timeoutMs: 120_000 })).toMatchObject({ exitCode: 0 });
      await box().kill();
      await box().start();
      expect(await cluster.controller.ended(code, 300_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await running()).toBe(version);
    });
  });

  test('is installed although the root helper is killed while it unpacks', async () => {
    await add({ version: '2.2.1' });
    const code = await install({ version: '2.2.1' });
    await until('it unpacks', async () => {
      const { stdout } = await box().exec(['ls', `${releases}/versions`]);
      return stdout.includes('2.2.1');
    });
    await box().must('systemctl', 'kill', '-s', 'KILL', 'muster-agent-root-helper.service');
    expect(await cluster.controller.ended(code)).toMatchObject({ status: 'COMPLETED' });
    expect(await running()).toBe('2.2.1');
  });

  test('that never talks goes also when the power is cut during its trial', async () => {
    await add({ version: '2.3.0', fault: 'mute' });
    const code = await install({ version: '2.3.0', trial_seconds: 20 });
    await reached('TRIAL');
    await box().kill();
    await box().start();
    expect(await cluster.controller.ended(code, 300_000)).toMatchObject({ error_code: 'rolled_back' });
    expect(await running()).toBe('2.2.1');
  });

  test('goes when the guard itself is killed again and again', async () => {
    await add({ version: '2.4.0', fault: 'crashes' });
    const code = await install({ version: '2.4.0' });
    await reached('TRIAL');
    for (let times = 0; times < 3; times += 1) {
      await box().exec(['systemctl', 'kill', '-s', 'KILL', 'muster-release-guard.service']);
    }
    expect(await cluster.controller.ended(code, 300_000)).toMatchObject({ error_code: 'rolled_back' });
    expect(await running()).toBe('2.2.1');
  });

  test('gives way to the Debian package when that is installed', async () => {
    await box().must('dpkg', '--install', (await builtPackages()).agent);
    expect(await running()).toBe('0.1.0');
  });
});
