import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Task } from '../../shared/api/tasks.ts';
import { Cluster } from '../harness/cluster.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';
import { InstalledDevice } from './installed-device.ts';
import { labMissing } from './lab.ts';
import { PluginVariants } from './plugin-variants.ts';

const home = '/api/v1/organizations/default';
const plugins = '/var/lib/muster-releases/plugins';
const types = ['LOOKUP', 'PORTS', 'ROUTE', 'TRACEROUTE'].map((type) => `NETDIAG.${type}`);

/** A plugin on a machine with the real package: from its signature to its result, and whatever may go wrong between. */
describe.skipIf(labMissing('plugins'))('a plugin', () => {
  const folder = temporaryFolder('plugin-package');
  let cluster: Cluster;
  let device: InstalledDevice;
  let variants: PluginVariants;
  const box = () => device.box;

  const muster = async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await cluster.muster(args);
    expect(exitCode, stderr).toBe(0);
    return stdout;
  };
  const add = (...made: Parameters<PluginVariants['make']>) =>
    muster('release', 'add', variants.make(...made));
  const install = async (version: string): Promise<string> => {
    const body = { targets: { devices: [device.name] }, name: 'netdiag', version };
    const answer = await cluster.controller.call('POST', `${home}/plugin-install`, body);
    const [task] = answer['tasks'] as [{ task: string }];
    return task.task;
  };
  const installed = async (version: string): Promise<Task> =>
    cluster.controller.ended(await install(version), 120_000);
  const described = () => cluster.controller.call('GET', cluster.devicePath(device.name));
  /** What the device says of itself. */
  const offers = (expected: string[]) =>
    until(`the device offers ${expected.join(', ') || 'nothing of a plugin'}`, async () => {
      const told = ((await described())['task_types'] as string[]).filter((type) => type.includes('.'));
      return JSON.stringify(told.sort()) === JSON.stringify(expected);
    });
  const lookup = (name = 'example.org') => device.run('NETDIAG.LOOKUP', { name });
  const processes = async (): Promise<string[]> =>
    (await box().must('ps', '-eo', 'user:32,args')).split('\n').filter((line) => line.includes('netdiag.js'));

  beforeAll(async () => {
    mkdirSync(join(folder.path, 'plugins'));
    variants = new PluginVariants(join(folder.path, 'plugins'));
    cluster = await Cluster.create('plugin-package', {
      config: { releases: { public_keys: [variants.publicKey] } },
    });
    device = await InstalledDevice.enrolled(cluster, 'edge-1');
  }, 300_000);

  afterAll(async () => {
    await device?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test('is refused by a device that trusts nobody', async () => {
    await add('1.0.0');
    expect(await installed('1.0.0')).toMatchObject({ status: 'FAILED', error_code: 'no_release_key' });
    await box().write('/etc/muster/release.pub', variants.publicKey);
  });

  test('is installed, and its task types run without a restart', async () => {
    await muster('run', 'plugin-install', 'netdiag', '--version', '1.0.0', '--device', device.name, '--wait');
    await offers(types);
    expect(await muster('task-type', 'list')).toContain('NETDIAG.TRACEROUTE');
    const answer = await muster(
      ...['run', 'task', 'NETDIAG.ROUTE', '--param', 'address=127.0.0.1', '--device', device.name],
      ...['--wait', '--json'],
    );
    expect(answer).toContain('"interface": "lo"');
    expect(await device.run('NETDIAG.PORTS', { host: 'hub', ports: [7443, 1] })).toMatchObject({
      status: 'COMPLETED',
      result: { ports: [{ port: 7443, state: 'open' }, { port: 1 }] },
    });
    expect(await described()).toMatchObject({ facts: { plugins: { netdiag: '1.0.0' } } });
  });

  test('sends packets to a host, hop by hop', async () => {
    // systemd does so at the start of a machine that is no container: whoever is no root may ping.
    await box().must('sysctl', '--write', 'net.ipv4.ping_group_range=0 2147483647');
    expect(await device.run('NETDIAG.TRACEROUTE', { host: 'hub' })).toMatchObject({
      error_message: null,
      result: { reached: true, hops: [{ hop: 1, address: expect.stringContaining('.') }] },
    });
  });

  test('gives way to another version, which runs as its own user', async () => {
    await add('1.1.0', 'frank');
    expect(await installed('1.1.0')).toMatchObject({
      status: 'COMPLETED',
      result: { name: 'netdiag', previous_version: '1.0.0', version: '1.1.0' },
    });
    expect(await lookup()).toMatchObject({
      status: 'COMPLETED',
      result: {
        servers: ['1.1.0'],
        records: [
          ...['muster-plugin', '/run/muster-plugin'],
          ...['HOME', 'LANG', 'LOGNAME', 'MUSTER_PLUGIN', 'OLDPWD', 'PATH', 'PWD', 'TMPDIR', 'USER'],
        ],
      },
    });
    await until('the facts say so', async () => {
      const { facts } = (await described()) as { facts: { plugins: object } };
      return JSON.stringify(facts.plugins) === '{"netdiag":"1.1.0"}';
    });
  });

  test('is gone when its task is cancelled', async () => {
    const code = await device.submit('NETDIAG.LOOKUP', { name: 'wait' });
    await until('it runs', async () => (await processes()).some((line) => line.startsWith('muster-plugin ')));
    await muster('task', 'cancel', code, '--request');
    expect(await cluster.controller.ended(code)).toMatchObject({ status: 'CANCELLED' });
    expect(await processes()).toEqual([]);
  });

  test('is gone when the root helper is killed, and runs again as it is idempotent', async () => {
    const code = await device.submit('NETDIAG.LOOKUP', { name: 'wait' });
    await until('it runs', async () => (await processes()).some((line) => line.startsWith('muster-plugin ')));
    await box().must('systemctl', 'kill', '-s', 'KILL', 'muster-agent-root-helper.service');
    expect(await cluster.controller.ended(code, 120_000)).toMatchObject({ status: 'COMPLETED' });
    expect(await processes()).toEqual([]);
  });

  test('that does not say what it is leaves the version before in its place', async () => {
    await add('1.2.0', 'mute');
    const task = await installed('1.2.0');
    expect(task).toMatchObject({ status: 'FAILED', error_code: 'bad_release' });
    expect(task.error_message).toContain('no answer within');
    expect(await lookup()).toMatchObject({ result: { servers: ['1.1.0'] } });
  });

  test('that somebody changed in the controller’s store does not reach the device', async () => {
    await add('1.3.0');
    const { items } = (await cluster.controller.call('GET', `${home}/releases`)) as {
      items: { version: string; sha256: string }[];
    };
    const sha256 = items.find((one) => one.version === '1.3.0')?.sha256 ?? '';
    const blob = join(cluster.controller.folder, 'blobs', sha256.slice(0, 2), sha256);
    const bytes = readFileSync(blob);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(blob, bytes);
    expect(await installed('1.3.0')).toMatchObject({ status: 'FAILED' });
    expect(await lookup()).toMatchObject({ result: { servers: ['1.1.0'] } });
  });

  test('survives a power cut while it is installed', async () => {
    await add('1.4.0', 'slow');
    const code = await install('1.4.0');
    await until('it is asked what it is', async () => {
      const { stdout } = await box().exec(['ls', `${plugins}/netdiag`]);
      return stdout.includes(`1.4.0_${code}.tmp`) && (await processes()).length > 0;
    });
    await box().kill();
    await box().start();
    expect((await box().must('readlink', `${plugins}/netdiag/current`)).trim()).toMatch(/^1\.[14]\.0_/);
    expect(await cluster.controller.ended(code, 180_000)).toMatchObject({ status: 'COMPLETED' });
    await offers(types);
    expect(await lookup()).toMatchObject({ result: { servers: ['1.4.0'] } });
    const { stdout } = await box().exec(['sh', '-c', `ls ${plugins}/netdiag | grep -c _`]);
    expect(Number(stdout)).toBeLessThanOrEqual(2);
  });

  test('runs only what the policy of the device allows', async () => {
    const before = await box().read('/etc/muster/agent.yaml');
    const configure = async (text: string): Promise<void> => {
      await box().write('/etc/muster/agent.yaml', text);
      await box().must('systemctl', 'restart', 'muster-agent-root-helper.service', 'muster-agent.service');
    };
    await configure(`${before}\npolicy: {task_types: [PLUGIN_INSTALL, NETDIAG.ROUTE]}\n`);
    await offers(['NETDIAG.ROUTE']);
    await configure(`${before}\npolicy: {plugin_users: []}\n`);
    await offers(types);
    expect(await lookup()).toMatchObject({ status: 'FAILED', error_code: 'policy' });
    await configure(`${before}\npolicy: {task_types: [PLUGIN_INSTALL, SCRIPT, 'NETDIAG.*']}\n`);
    await offers(types);
    expect(await lookup()).toMatchObject({ status: 'COMPLETED' });
  });

  test('is removed, and then its tasks are refused', async () => {
    await muster('run', 'plugin-remove', 'netdiag', '--device', device.name, '--wait');
    await offers([]);
    expect((await box().exec(['ls', `${plugins}/netdiag`])).stdout.trim()).toBe('floor');
    await muster('run', 'plugin-remove', 'netdiag', '--device', device.name, '--wait');
  });
});
