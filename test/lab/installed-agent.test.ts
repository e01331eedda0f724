import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';
import { builtPackages } from './built-packages.ts';
import { InstalledDevice } from './installed-device.ts';
import { labMissing } from './lab.ts';

/** The real package, on a machine with systemd, as an administrator installs it. */
describe.skipIf(labMissing('the installed agent'))('the installed agent', () => {
  let cluster: Cluster;
  let device: InstalledDevice;
  const box = () => device.box;
  const shows = async (unit: string, property: string): Promise<string> =>
    (await box().must('systemctl', 'show', '--value', '-p', property, unit)).trim();

  beforeAll(async () => {
    cluster = await Cluster.create('installed-agent');
    device = await InstalledDevice.install(cluster, 'edge-1');
  });

  afterAll(async () => {
    await device?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  test('an agent that is not enrolled does not start, and does not try', async () => {
    expect(await shows('muster-agent.service', 'ActiveState')).toBe('inactive');
    expect(await shows('muster-agent.service', 'NRestarts')).toBe('0');
    expect((await box().must('systemctl', 'is-enabled', 'muster-agent.service')).trim()).toBe('enabled');
  });

  test('enrolling starts it, and it comes online without root', async () => {
    await device.enrol();
    expect(await shows('muster-agent.service', 'ActiveState')).toBe('active');
    const pid = await shows('muster-agent.service', 'MainPID');
    expect((await box().must('ps', '-o', 'user=', '-p', pid)).trim()).toBe('muster-agent');
    expect((await box().must('stat', '-c', '%U %a', '/var/lib/muster-agent')).trim()).toBe(
      'muster-agent 700',
    );
    expect((await box().must('stat', '-c', '%U %a', '/var/lib/muster-root-helper')).trim()).toBe('root 700');
  });

  test('what needs no root is done without it, the rest by the root helper', async () => {
    expect(await device.run('PING')).toMatchObject({ status: 'COMPLETED' });
    expect(await device.run('PING', { host: '127.0.0.1', count: 1 })).toMatchObject({ status: 'COMPLETED' });
    expect(await device.run('HEALTH_CHECK')).toMatchObject({ status: 'COMPLETED' });
    const own = await device.run('SCRIPT', { script: 'test "$(id -un)" = muster-agent' });
    expect(own).toMatchObject({ status: 'COMPLETED' });
    const asRoot = await device.run('SCRIPT', { script: 'test "$(id -u)" = 0', user: 'root' });
    expect(asRoot).toMatchObject({ status: 'COMPLETED' });
    const failed = await device.run('SCRIPT', { script: 'exit 7', user: 'root' });
    expect(failed).toMatchObject({ status: 'FAILED', error_code: 'exit_code', result: { exit_code: 7 } });
  });

  test('the agent itself cannot become root, and cannot write what the helper trusts', async () => {
    const tries = [
      'cat /var/lib/muster-root-helper/identity.json',
      'touch /etc/muster/agent.yaml',
      'touch /usr/lib/muster-agent/x',
      'systemctl reboot',
    ];
    for (const script of tries) {
      expect(await device.run('SCRIPT', { script }), script).toMatchObject({ status: 'FAILED' });
    }
  });

  test('RESTART is proven by another process on the same boot', async () => {
    const before = await shows('muster-agent.service', 'MainPID');
    expect(await device.run('RESTART')).toMatchObject({ status: 'COMPLETED' });
    expect(await shows('muster-agent.service', 'MainPID')).not.toBe(before);
  });

  test('an agent that hangs is started anew by the watchdog of systemd', async () => {
    await box().write('/run/systemd/system/muster-agent.service.d/soon.conf', '[Service]\nWatchdogSec=6\n');
    await box().must('systemctl', 'daemon-reload');
    await box().must('systemctl', 'restart', 'muster-agent');
    await device.online();
    const pid = await shows('muster-agent.service', 'MainPID');
    await box().must('kill', '-STOP', pid);
    await until('another process', async () => {
      const now = await shows('muster-agent.service', 'MainPID');
      return now !== pid && now !== '0';
    });
    await device.online();
    await box().must('rm', '-r', '/run/systemd/system/muster-agent.service.d');
    await box().must('systemctl', 'daemon-reload');
    expect(await device.run('PING')).toMatchObject({ status: 'COMPLETED' });
  });

  test('a script of root that runs when the agent is killed ends as interrupted, and is not run again', async () => {
    const log = '/var/tmp/ran';
    const code = await device.submit('SCRIPT', { script: `echo ran >> ${log}; sleep 60`, user: 'root' });
    await until('it runs', async () => (await box().exec(['test', '-s', log])).exitCode === 0);
    await box().must('systemctl', 'kill', '--kill-whom=main', '-s', 'KILL', 'muster-agent.service');
    expect(await cluster.controller.ended(code)).toMatchObject({
      status: 'FAILED',
      error_code: 'interrupted',
    });
    expect(await box().read(log)).toBe('ran\n');
  });

  test('twenty reboots in a row are twenty completions, each with a boot id of its own', async () => {
    const bootIds = new Set<string>();
    for (let count = 1; count <= 20; count += 1) {
      const task = await device.run('REBOOT');
      expect(task, `reboot ${count}`).toMatchObject({ status: 'COMPLETED' });
      expect(task.result?.['downtime_ms']).toBeGreaterThan(0);
      bootIds.add(String(task.result?.['boot_id']));
      await device.online();
    }
    expect(bootIds.size).toBe(20);
  }, 600_000);

  test('an upgrade restarts once, and loses neither state nor a task that runs or waits', async () => {
    const started = () =>
      box().must('journalctl', '-o', 'cat', '--grep', '^Started muster-agent.service', '-b');
    const [before, starts] = [
      await box().must('cat', '/var/lib/muster-agent/identity.json'),
      await started(),
    ];
    await box().write('/etc/muster/agent.yaml', `${await box().read('/etc/muster/agent.yaml')}# ours\n`);
    // Two at a time: the first two run for longer than the installation takes, so that the others wait meanwhile.
    const seconds = { a: 60, b: 60, c: 1, d: 1 };
    const names = Object.keys(seconds);
    const codes: string[] = [];
    for (const [name, count] of Object.entries(seconds)) {
      const script = `echo ran >> /var/tmp/upgrade-${name}; sleep ${count}`;
      codes.push(await device.submit('SCRIPT', { script, user: 'root' }));
    }
    await until(
      'two run',
      async () => (await box().exec(['ls', '/var/tmp/upgrade-a', '/var/tmp/upgrade-b'])).exitCode === 0,
    );
    await box().must('dpkg', '--install', (await builtPackages()).agent);
    await device.online();
    const ends = await Promise.all(codes.map((code) => cluster.controller.ended(code)));
    for (const end of ends.slice(0, 2))
      expect(end).toMatchObject({ status: 'FAILED', error_code: 'interrupted' });
    for (const end of ends.slice(2)) expect(end).toMatchObject({ status: 'COMPLETED', attempt: 1 });
    for (const name of names) expect(await box().read(`/var/tmp/upgrade-${name}`), name).toBe('ran\n');
    expect(await box().must('cat', '/var/lib/muster-agent/identity.json')).toBe(before);
    expect(await box().read('/etc/muster/agent.yaml')).toContain('# ours');
    expect((await started()).split('\n')).toHaveLength(starts.split('\n').length + 1);
    expect(await device.run('PING')).toMatchObject({ status: 'COMPLETED' });
  });

  test('SHUTDOWN is COMPLETED when the machine stays away', async () => {
    const code = await device.submit('SHUTDOWN');
    await device.online(false);
    expect(await cluster.controller.ended(code, 240_000)).toMatchObject({ status: 'COMPLETED' });
    await box().start();
    await device.online();
  });

  test('removing keeps who the device is: installed again it serves as before', async () => {
    await box().must('dpkg', '--remove', 'muster-agent');
    await device.online(false);
    expect((await box().exec(['pgrep', '-f', '/usr/lib/muster-agent'])).exitCode).toBe(1);
    expect(await shows('muster-agent.service', 'LoadState')).toBe('masked');
    expect(await device.has('/var/lib/muster-agent/identity.json')).toBe(true);
    expect(await box().read('/etc/muster/agent.yaml')).toContain('# ours');
    await box().must('dpkg', '--install', (await builtPackages()).agent);
    await device.online();
    expect(await device.run('SCRIPT', { script: 'true', user: 'root' })).toMatchObject({
      status: 'COMPLETED',
    });
  });

  test('purging removes it: installed again it is a new device that nobody enrolled', async () => {
    await box().must('dpkg', '--purge', 'muster-agent');
    await device.online(false);
    const state = ['/var/lib/muster-agent', '/var/lib/muster-root-helper', '/var/lib/muster-releases'];
    for (const path of [...state, '/etc/muster/agent.yaml', '/usr/lib/muster-agent']) {
      expect(await device.has(path), path).toBe(false);
    }
    expect(await shows('muster-agent.service', 'LoadState')).toBe('not-found');
    await box().must('dpkg', '--install', (await builtPackages()).agent);
    expect(await shows('muster-agent.service', 'ActiveState')).toBe('inactive');
    expect(await device.has('/var/lib/muster-agent/identity.json')).toBe(false);
  });
});
