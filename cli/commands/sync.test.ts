import { beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../test/harness/until.ts';
import {
  failedPlan,
  planOf,
  sampleDiff,
  samplePlan,
  sampleStatus,
  sampleSyncResult,
} from '../testing/configuration-samples.ts';
import { FakeController, paged, refused } from '../testing/fake-controller.ts';
import { hasTerminals, runMuster, startMuster, startOnTerminal } from '../testing/run-muster.ts';
import { runId, sampleAnswer, sampleTask } from '../testing/samples.ts';

const home = '/api/v1/organizations/default';
const plan = `POST ${home}/sync/plan`;
const apply = `POST ${home}/sync`;

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  return () => controller.close();
});
const sync = (args: string[]) => runMuster(['sync', ...args], { url: controller.url });
const bodies = (route: string) => controller.requests(route).map(({ body }) => body);

describe('plan', () => {
  test('prints the differences per device on stdout, and the sum on stderr', async () => {
    controller.on(plan, {
      body: planOf(samplePlan(), samplePlan({ device_name: 'edge-2', changes: 0, files: [] })),
    });
    const { exitCode, stdout, stderr } = await sync(['plan', '--label', 'site=a']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '1 to change, 1 unchanged\n' });
    expect(stdout).toBe(
      'edge-1: 1 file changes\n' +
        '  bundles branch 4; profile debian; compared with 2026-01-01 00:00:00 Z; IN_SYNC\n' +
        '  /etc/motd (files) changes\n' +
        sampleDiff +
        '\nedge-2: nothing changes\n' +
        '  bundles branch 4; profile debian; compared with 2026-01-01 00:00:00 Z; IN_SYNC\n',
    );
    expect(bodies(plan)).toEqual([{ targets: { labels: { site: 'a' } }, diff: true }]);
  });

  test('ends with 3 when some cannot be rendered and says why, with 1 when none can', async () => {
    controller.on(plan, { body: planOf(samplePlan(), failedPlan('edge-2')) });
    const some = await sync(['plan', '--all']);
    expect(some.exitCode).toBe(3);
    expect(some.stdout).toContain(
      'edge-2: cannot be rendered\n  not_renderable: lan is not defined\n  undefined variables: lan\n' +
        '  conflicts: base and branch both have /etc/motd\n',
    );
    controller.on(plan, { body: planOf(failedPlan('edge-2')) });
    expect((await sync(['plan', '--all'])).exitCode).toBe(1);
  });

  test('says what is quarantined, and how to allow it', async () => {
    controller.on(plan, { body: planOf(samplePlan({ quarantined: true })) });
    expect((await sync(['plan', '--all'])).stdout).toContain('muster sync release edge-1');
  });

  test('as a table, as JSON, as names, and without differences', async () => {
    const body = planOf(samplePlan(), failedPlan('edge-2'));
    controller.on(plan, { body });
    expect((await sync(['plan', '--all', '-f', 'simple'])).stdout).toMatch(
      /^DEVICE +CHANGES +FILES .*\nedge-1 +1 +\/etc\/motd +IN_SYNC .*\nedge-2 .*lan is not defined/,
    );
    expect(JSON.parse((await sync(['plan', '--all', '--json'])).stdout)).toEqual(body);
    expect((await sync(['plan', '--all', '-q'])).stdout).toBe('edge-1\n');
    await sync(['plan', '--all', '--no-diff']);
    expect(bodies(plan).at(-1)).toMatchObject({ diff: false });
    expect((await sync(['plan'])).exitCode).toBe(2);
  });

  describe.runIf(hasTerminals())('on a terminal', () => {
    const onTerminal = async (env: Record<string, string>, diff = sampleDiff) => {
      const files = [{ path: '/etc/motd', unit: 'files', change: 'change' as const, diff }];
      controller.on(plan, { body: planOf(samplePlan({ files })) });
      const muster = startOnTerminal(['sync', 'plan', '--all'], { url: controller.url, env });
      return (await muster.ended).stdout;
    };

    test('colours the lines, unless NO_COLOR is set', async () => {
      const colored = await onTerminal({ TERM: 'xterm' });
      expect(colored).toContain('\x1b[32m+new\x1b[39m');
      expect(colored).toContain('\x1b[31m-old\x1b[39m');
      expect(await onTerminal({ TERM: 'xterm', NO_COLOR: '1' })).not.toContain('\x1b[3');
    });

    test('what a device has in its files does nothing to the terminal', async () => {
      const told = await onTerminal({ TERM: 'xterm', NO_COLOR: '1' }, '@@ -1 +1 @@\n+\x1b]0;title\x07\n');
      expect(told).not.toContain('\x1b]0');
      expect(told).toContain('+\ufffd]0;title\ufffd');
    });
  });
});

describe('apply', () => {
  const tasks = [
    sampleTask({ type: 'SYNC' }),
    sampleTask({ type: 'SYNC', task: 'zZ9zZ9zZ', device_name: 'edge-2' }),
  ];
  const answers = (errors: object[] = [], made = tasks) =>
    controller.on(apply, () => {
      controller.add(...made);
      return { body: { ...sampleAnswer(...made), type: 'SYNC', errors } };
    });

  test('carries every option, and a key that makes it safe to repeat', async () => {
    answers();
    const { exitCode } = await sync([
      ...[
        'apply',
        '--device',
        'edge-.*',
        '--batch',
        '10%',
        '--max-failures',
        '2',
        '--canary',
        '1',
        '--force',
      ],
      ...['--dry-run', '--on-drift', 'overwrite', '--confirm-seconds', '60', '--only-changed', '--ask'],
      ...['--expires-in', '2h', '--task-timeout', '20m'],
    ]);
    expect(exitCode).toBe(0);
    expect(bodies(apply)).toEqual([
      {
        targets: { devices: ['edge-.*'] },
        rollout: { batch: '10%', max_failures: '2', canary: 1 },
        dry_run: true,
        ask: true,
        on_drift: 'overwrite',
        confirm_seconds: 60,
        only_changed: true,
        force: true,
        expires_in_seconds: 7200,
        timeout_seconds: 1200,
      },
    ]);
    expect(controller.requests(apply)[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect((await sync(['apply', '--all', '--confirm-seconds', '10'])).exitCode).toBe(2);
  });

  test('the end tells per device what became of it, where and why, and what is on disk', async () => {
    answers();
    const muster = startMuster(['sync', 'apply', '--all', '--wait', '-f', 'simple'], { url: controller.url });
    await until('the tasks are watched', () => controller.streams > 0);
    controller.change('aB3dE6gH', { status: 'COMPLETED', result: sampleSyncResult() });
    controller.change('zZ9zZ9zZ', {
      status: 'FAILED',
      error_code: 'rolled_back',
      error_message: 'the controller could not be reached',
      result: sampleSyncResult({
        outcome: 'rolled_back',
        reason: 'no new connection to the controller within 120 s',
        on_disk: 'old',
      }),
    });
    const { exitCode, stdout } = await muster.ended;
    expect(exitCode).toBe(3);
    const rows = stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(rows).toEqual([
      ['DEVICE', 'OUTCOME', 'CHANGES', 'ON DISK', 'WHERE AND WHY', 'TASK'],
      ['edge-1', 'applied', '1', 'the new configuration', 'aB3dE6gH'],
      [
        'edge-2',
        'rolled_back',
        '1',
        'the old configuration',
        'rolled_back: no new connection to the controller within 120 s',
        'zZ9zZ9zZ',
      ],
      [''],
    ]);
  });

  test('a rejection names the step; JSON has the whole result', async () => {
    const result = sampleSyncResult({
      outcome: 'rejected',
      rejected_at: 'validate',
      reason: 'nft says line 3 is wrong',
      on_disk: 'old',
      changes_total: 0,
    });
    const failed = sampleTask({
      type: 'SYNC',
      status: 'FAILED',
      completed_at: '2026-01-01T00:01:00.000Z',
      error_code: 'rejected_validate',
      result,
    });
    answers([], [failed]);
    const text = await sync(['apply', '--all', '--wait', '-f', 'simple']);
    expect(text.exitCode).toBe(1);
    expect(text.stdout).toMatch(
      /edge-1 +rejected +0 +the old configuration +validate: nft says line 3 is wrong/,
    );
    const { tasks: ended, run } = JSON.parse((await sync(['apply', '--all', '--wait', '--json'])).stdout);
    expect({ run, result: ended[0].result }).toEqual({ run: runId, result });
  });

  test('--follow prints the steps as the device tells them, and the end after them', async () => {
    controller.log('aB3dE6gH', 'agent', 'validate: all checks hold');
    const done = { status: 'COMPLETED', completed_at: '2026-01-01T00:01:00.000Z' } as const;
    answers([], [sampleTask({ type: 'SYNC', ...done, result: sampleSyncResult() })]);
    const { stdout, stderr } = await sync(['apply', '--all', '--follow', '-f', 'simple']);
    expect(stderr).toContain('[agent] validate: all checks hold\n');
    expect(stdout).toMatch(/edge-1 +applied/);
  });

  test('a device whose configuration cannot be made is told, and counts as one that failed', async () => {
    const errors = [
      {
        device_name: 'edge-9',
        error: 'lan is not defined',
        code: 'not_renderable',
        conflicts: [],
        undefined_variables: ['lan'],
      },
    ];
    answers(errors);
    const some = await sync(['apply', '--all']);
    expect(some.exitCode).toBe(3);
    expect(some.stderr).toContain('muster: edge-9: not_renderable: lan is not defined (undefined: lan)\n');
    controller.on(
      apply,
      refused(422, 'not_renderable', 'No selected device can be sent its configuration', {
        errors,
        skipped: [],
      }),
    );
    const none = await sync(['apply', '--all']);
    expect(none.exitCode).toBe(2);
    expect(none.stderr).toContain('(undefined: lan)\nmuster: No selected device');
  });

  test('with nothing to do it ends well', async () => {
    const skipped = [{ device_name: 'edge-1', reason: 'has it already' }];
    controller.on(apply, { body: { ...sampleAnswer(), run: null, type: 'SYNC', skipped, errors: [] } });
    const { exitCode, stderr } = await sync(['apply', '--all', '--only-changed', '--wait']);
    expect(exitCode).toBe(0);
    expect(stderr).toBe('Skipped edge-1: has it already\nNo tasks\n');
  });

  describe.runIf(hasTerminals())('on a terminal', () => {
    test('asks with what would change, and sends nothing without a yes', async () => {
      controller.on(plan, { body: planOf(samplePlan(), failedPlan('edge-2')) });
      const muster = startOnTerminal(['sync', 'apply', '--all'], {
        url: controller.url,
        env: { TERM: 'xterm' },
      });
      await until('it asks', () => muster.stdout.includes('edge-1; 1 file changes)?'));
      muster.type('\r');
      const { exitCode, stdout } = await muster.ended;
      expect(exitCode).toBe(1);
      expect(stdout).toContain('edge-2 cannot be rendered: lan is not defined');
      expect(controller.requests(apply)).toEqual([]);
    });

    test('a dry run does not ask', async () => {
      answers();
      const muster = startOnTerminal(['sync', 'apply', '--all', '--dry-run'], {
        url: controller.url,
        env: { TERM: 'xterm' },
      });
      expect((await muster.ended).exitCode).toBe(0);
      expect(bodies(apply)).toMatchObject([{ dry_run: true }]);
    });
  });
});

test('a SYNC is described with its steps, and the commands that failed', async () => {
  const failedCommand = {
    unit: 'nftables',
    argv: ['nft', '-c'],
    exit_code: 1,
    duration_ms: 9,
    output: 'line 3',
    ok: false,
  };
  const steps = [
    {
      step: 'validate' as const,
      ok: false,
      duration_ms: 1200,
      message: 'nft refuses',
      commands: [failedCommand],
    },
  ];
  controller.add(
    sampleTask({ type: 'SYNC', status: 'FAILED', result: sampleSyncResult({ steps, on_disk: 'old' }) }),
  );
  const { stdout } = await runMuster(['task', 'describe', 'aB3dE6gH'], { url: controller.url });
  expect(stdout).toMatch(/On disk: +the old configuration\n/);
  expect(stdout).toMatch(/Step: +FAIL validate \(1s\): nft refuses\nCommand: +nft -c: exit code 1: line 3\n/);
});

test('status shows drift, and what differs by unit', async () => {
  const odd = sampleStatus({
    device_name: 'edge-2',
    drift_status: 'DRIFT',
    current_hash: 'cd'.repeat(32),
    in_sync: false,
    units: [{ unit: 'nftables', status: 'file_changed', message: '' }],
    quarantined: ['cd'.repeat(32)],
  });
  controller.on(`GET ${home}/sync/status`, ({ query }) => ({ body: paged([sampleStatus(), odd], query) }));
  const { stdout } = await sync(['status', '-f', 'simple', '--device', 'edge', '--drift-status', 'drift']);
  expect(stdout).toMatch(
    /edge-1 +IN_SYNC +applied .*\nedge-2 +DRIFT +differs .*nftables file_changed, 1 quarantined\n/,
  );
  expect(controller.seen[0]?.query).toMatchObject({ device: 'edge', drift_status: 'DRIFT' });
});

test('status says of a device that no bundle is for it, and what drifts on it', async () => {
  const nothing = { current_hash: null, desired_problem: 'no_bundle', in_sync: false };
  const units = [{ unit: 'sshd', status: 'file_changed', message: '' }];
  controller.on(`GET ${home}/sync/status`, ({ query }) => ({
    body: paged([sampleStatus({ ...nothing, drift_status: 'DRIFT', units })], query),
  }));
  const { stdout } = await sync(['status', '-f', 'simple']);
  expect(stdout).toMatch(/edge-1 +DRIFT +no bundle .*sshd file_changed\n/);
});

test('release allows what was rolled back', async () => {
  const route = `POST ${home}/devices/edge-1/sync/release`;
  controller.on(route, { body: { device_name: 'edge-1', released: ['abc'] } });
  expect((await sync(['release', 'edge-1'])).stderr).toBe('Allowed again on edge-1: abc\n');
  await sync(['release', 'edge-1', '--content', 'abc']);
  expect(bodies(route)).toEqual([{}, { content: 'abc' }]);
});
