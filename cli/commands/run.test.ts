import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { until } from '../../test/harness/until.ts';
import { FakeController, refused } from '../testing/fake-controller.ts';
import { hasTerminals, runMuster, startOnTerminal } from '../testing/run-muster.ts';
import { runId, sampleAnswer, sampleTask } from '../testing/samples.ts';

const create = 'POST /api/v1/organizations/default/tasks';

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  return () => controller.close();
});

/** The controller makes these tasks at every request. */
function willCreate(...tasks: ReturnType<typeof sampleTask>[]): void {
  controller.on(create, ({ body }) => {
    const { dry_run } = body as { dry_run?: boolean };
    if (!dry_run) controller.add(...tasks);
    return { body: { ...sampleAnswer(...tasks), run: dry_run ? null : runId } };
  });
}

const bodies = () => controller.requests(create).map(({ body }) => body);
const run = (args: string[], options = {}) =>
  runMuster(['run', ...args], { url: controller.url, ...options });

describe('the request', () => {
  beforeEach(() => willCreate(sampleTask()));

  test('carries targets, rollout, both clocks and a key that makes it safe to repeat', async () => {
    const { exitCode, stderr } = await run([
      ...[
        'ping',
        '--host',
        '10.0.0.1',
        '--count',
        '2',
        '--device',
        'a',
        '--device',
        'b.*',
        '--label',
        'site=x',
      ],
      ...['--label', 'tier=1', '--all', '--batch', '10%', '--max-failures', '2', '--canary', '1', '--force'],
      ...['--expires-in', '2h', '--task-timeout', '90s'],
    ]);
    expect(exitCode).toBe(0);
    expect(bodies()).toEqual([
      {
        type: 'PING',
        targets: { devices: ['a', 'b.*'], labels: { site: 'x', tier: '1' }, all: true },
        payload: { host: '10.0.0.1', count: 2 },
        rollout: { batch: '10%', max_failures: '2', canary: 1 },
        force: true,
        expires_in_seconds: 7200,
        timeout_seconds: 90,
      },
    ]);
    expect(controller.requests(create)[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(stderr).toContain('muster task watch aB3dE6gH');
  });

  test.each([
    ['restart', 'REBOOT'],
    ['poweroff', 'SHUTDOWN'],
    ['plugin-reload', 'RESTART'],
  ])('%s makes a %s, without a question off a terminal', async (verb, type) => {
    expect((await run([verb, '--device', 'edge-1'])).exitCode).toBe(0);
    expect(bodies()).toMatchObject([{ type, payload: {} }]);
  });

  test.each(['restart', 'poweroff', 'plugin-reload'])('%s is not sent with --retries', async (command) => {
    const { exitCode, stderr } = await run([command, '--all', '--yes', '--retries', '2']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('is never tried again by itself');
    expect(bodies()).toEqual([]);
  });

  test('is not sent without devices, with a wrong amount or with --timeout alone', async () => {
    for (const args of [
      ['ping'],
      ['ping', '--all', '--batch', '200%'],
      ['ping', '--all', '--batch', '0'],
      ['ping', '--all', '--timeout', '1m'],
    ]) {
      expect({ args, exitCode: (await run(args)).exitCode }).toEqual({ args, exitCode: 2 });
    }
    expect(controller.seen).toEqual([]);
  });

  test('is sent again under the same key when the connection breaks', async () => {
    let isBroken = true;
    controller.on(create, () => {
      if (!isBroken) return { body: sampleAnswer(sampleTask()) };
      isBroken = false;
      return { broken: true };
    });
    expect((await run(['ping', '--all'])).exitCode).toBe(0);
    const keys = controller.requests(create).map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  test('reads --at in the operator’s zone, says which, and sends UTC', async () => {
    const year = new Date().getUTCFullYear() + (new Date().getUTCMonth() === 11 ? 1 : 0);
    const at = `${year}-12-31 03:00`;
    const env = { MUSTER_TIMEZONE: 'Europe/Berlin' };
    const { stderr } = await run(['ping', '--all', '--at', at], { env });
    expect(stderr).toContain(`Scheduled for ${year}-12-31T03:00:00+01:00 (Europe/Berlin)`);
    expect(bodies()).toMatchObject([{ scheduled_at: `${year}-12-31T02:00:00.000Z` }]);
    expect(await run(['ping', '--all', '--at', 'tomorrow'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('2h'),
    });
  });

  test('a dry run shows the devices and creates nothing', async () => {
    const { stdout, stderr } = await run(['restart', '--all', '--dry-run', '-f', 'simple']);
    expect(stdout).toBe('DEVICE\nedge-1\n');
    expect(stderr).toContain('nothing was created');
    expect(bodies()).toMatchObject([{ dry_run: true }]);
  });

  test('tells which devices were skipped, and why', async () => {
    const skipped = [{ device_name: 'edge-9', reason: 'DISABLED' }];
    controller.on(create, { body: { ...sampleAnswer(sampleTask()), skipped } });
    expect((await run(['ping', '--all'])).stderr).toContain('Skipped edge-9: DISABLED');
    expect(JSON.parse((await run(['ping', '--all', '--json'])).stdout)).toMatchObject({
      run: runId,
      skipped,
    });
  });

  test('a name that does not exist ends with 5', async () => {
    controller.on(create, refused(422, 'unresolved_targets', 'No device is named nobody'));
    expect((await run(['ping', '--device', 'nobody'])).exitCode).toBe(5);
  });
});

describe('script', () => {
  beforeEach(() => willCreate(sampleTask({ type: 'SCRIPT' })));
  const payloads = () => bodies().map((body) => (body as { payload: unknown }).payload);

  test('sends a file with its arguments, variables and place', async () => {
    using folder = temporaryFolder('cli-script');
    const file = join(folder.path, 'clean.py');
    writeFileSync(file, '#!/usr/bin/env python3\nprint(1)\n');
    const { exitCode } = await run(
      [
        ...[
          'script',
          '--device',
          'a',
          file,
          '--arg',
          'one',
          '--arg',
          '--two',
          '--env',
          'A=b=c',
          '--env',
          'SECRET',
        ],
        ...['--cwd', '/tmp', '--user', 'nobody', '--idempotent', '--input', '-'],
      ],
      { env: { SECRET: 'hidden' }, stdin: 'typed' },
    );
    expect(exitCode).toBe(0);
    expect(payloads()).toEqual([
      {
        script: '#!/usr/bin/env python3\nprint(1)\n',
        interpreter: ['/usr/bin/env', 'python3'],
        arguments: ['one', '--two'],
        env: { A: 'b=c', SECRET: 'hidden' },
        cwd: '/tmp',
        user: 'nobody',
        idempotent: true,
        stdin: 'typed',
      },
    ]);
  });

  test('sends standard input for -, and what stands after -- as a command that is not interpreted here', async () => {
    await run(['script', '--all', '-', '--interpreter', 'bash -eu'], { stdin: 'echo hello\n' });
    await run(['script', '--all', '--', 'df', '-h', '--json', '/']);
    await run(['script', '--', 'true', '--all']);
    expect(payloads()).toEqual([
      { script: 'echo hello\n', interpreter: ['bash', '-eu'] },
      { argv: ['df', '-h', '--json', '/'] },
    ]);
  });

  test('refuses nothing, two files, a file and a command, and a file that is not there', async () => {
    for (const args of [[], ['a', 'b'], ['a', '--', 'b'], ['no-such-file'], ['--arg', 'x', '--', 'b']]) {
      const { exitCode } = await run(['script', '--all', ...args]);
      expect({ args, exitCode }).toEqual({ args, exitCode: 2 });
    }
    expect(controller.seen).toEqual([]);
  });
});

describe('health-check', () => {
  beforeEach(() => willCreate(sampleTask({ type: 'HEALTH_CHECK' })));

  test('sends the checks of the command line and of a file', async () => {
    using folder = temporaryFolder('cli-checks');
    const file = join(folder.path, 'checks.yaml');
    writeFileSync(file, 'checks:\n  - { check: load, warn_per_cpu: 2 }\n');
    await run(['health-check', '--all', '--check', 'tcp:[::1]:53', '--file', file]);
    await run(['health-check', '--all']);
    expect(bodies()).toMatchObject([
      {
        payload: {
          checks: [
            { check: 'load', warn_per_cpu: 2, fail_per_cpu: 4 },
            { check: 'tcp', host: '::1', port: 53 },
          ],
        },
      },
      { payload: {} },
    ]);
  });

  test('names the field of a file that is wrong', async () => {
    using folder = temporaryFolder('cli-checks');
    const file = join(folder.path, 'checks.yaml');
    writeFileSync(file, '- { check: tcp, host: a }\n');
    const { exitCode, stderr } = await run(['health-check', '--all', '--file', file]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/checks\.yaml.*checks\.0\.port/);
  });
});

describe.runIf(hasTerminals())('on a terminal', () => {
  const start = (args: string[]) =>
    startOnTerminal(['run', ...args], { url: controller.url, env: { TERM: 'xterm' } });

  test('asks before a reboot, naming the devices; no sends nothing', async () => {
    willCreate(sampleTask({ type: 'REBOOT' }));
    const muster = start(['restart', '--all']);
    await until('it asks', () => muster.stdout.includes('Reboot 1 device (edge-1)?'));
    muster.type('n\r');
    expect((await muster.ended).exitCode).toBe(1);
    expect(bodies()).toMatchObject([{ dry_run: true }]);
  });

  test('yes sends it, and --yes does not ask', async () => {
    willCreate(sampleTask({ type: 'REBOOT' }));
    const muster = start(['restart', '--all']);
    await until('it asks', () => muster.stdout.includes('Reboot 1 device'));
    muster.type('y\r');
    expect((await muster.ended).exitCode).toBe(0);
    const silent = await start(['restart', '--all', '--yes']).ended;
    expect(silent.stdout).not.toContain('Reboot 1 device');
    expect(bodies()).toHaveLength(3);
  });

  test('draws one line anew and keeps a line for each failure', async () => {
    willCreate(sampleTask(), sampleTask({ task: 'Zz000000', device_name: 'edge-2' }));
    const muster = start(['ping', '--all', '--wait']);
    await until('it listens', () => controller.streams === 1);
    controller.change('aB3dE6gH', { status: 'FAILED', error_message: 'no way\u001b[2J' });
    await until('it counts', () => muster.stdout.includes('1 of 2 ended'));
    controller.change('Zz000000', { status: 'COMPLETED' });
    const { exitCode, stdout } = await muster.ended;
    expect(exitCode).toBe(3);
    expect(stdout).toMatch(/\r\u001b\[K.*FAILED.* edge-1 aB3dE6gH: no way\ufffd\[2J/);
    expect(stdout).toMatch(/\r\u001b\[K1 of 2 ended: 1 FAILED; 1 PENDING/);
  });
});
