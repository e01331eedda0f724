import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Appliance } from '../harness/appliance.ts';
import { Hub } from '../harness/appliance-hub.ts';
import { until } from '../harness/until.ts';
import { builtPackages } from './built-packages.ts';
import { allowServices } from './installed-device.ts';
import { labMissing } from './lab.ts';

const run = promisify(execFile);

describe.skipIf(labMissing('the packages'))('the packages', () => {
  test('lintian finds no error', async () => {
    const { agent, controller } = await builtPackages();
    const { stdout } = await run('lintian', ['--allow-root', '--fail-on', 'error', agent, controller]);
    expect(stdout).not.toMatch(/^E:/m);
  });

  test('from two packages to a task COMPLETED on a device, as the operations page says', async () => {
    const packages = await builtPackages();
    await using hub = await Hub.open();
    await using control = await Appliance.boot({ name: 'control', hub });
    await using edge = await Appliance.boot({ name: 'edge-1', hub });
    await Promise.all([control, edge].map(allowServices));
    const started = performance.now();

    const [address = ''] = control.addresses;
    const url = `http://${address}:7443`;
    await control.must('dpkg', '--install', packages.controller);
    await control.write(
      '/etc/muster/controller.yaml',
      `listen: ${address}:7443\nallow_plain_http: true\npublic_url: ${url}\n`,
    );
    const made = await control.must('muster-controller', 'init', '--url', url, '-f', 'json');
    const { admin_token: token, enrolment_token: ticket } = JSON.parse(made) as Record<string, string>;
    await control.must('systemctl', 'start', 'muster-controller');
    expect((await control.must('stat', '-c', '%U', '/var/lib/muster-controller/controller.db')).trim()).toBe(
      'muster',
    );

    await edge.must('dpkg', '--install', packages.agent);
    await edge.must('muster-agent', 'enrol', ticket ?? '', '--name', 'edge-1');
    const muster = (...args: string[]) =>
      control.exec(['muster', ...args], { env: { MUSTER_URL: url, MUSTER_TOKEN: token ?? '' } });
    await until('the device waits for approval', async () => {
      return (await muster('device', 'approve', 'edge-1')).exitCode === 0;
    });
    const task = await muster('run', 'ping', '--device', 'edge-1', '--wait', '--timeout', '60s', '--json');
    expect(task.exitCode, task.stderr).toBe(0);
    expect(task.stdout).toContain('COMPLETED');
    expect(performance.now() - started).toBeLessThan(120_000);
  });
});
