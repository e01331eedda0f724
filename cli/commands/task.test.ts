import { expect, test } from 'vitest';
import { FakeController, refused } from '../testing/fake-controller.ts';
import { runMuster, startMuster } from '../testing/run-muster.ts';
import { sampleTask } from '../testing/samples.ts';
import { until } from '../../test/harness/until.ts';

test('shows a list in every format', async () => {
  await using controller = await FakeController.start();
  controller.add(
    sampleTask(),
    sampleTask({
      task: 'Zz000000',
      device_name: 'edge-2',
      status: 'FAILED',
      error_message: 'no way\u001b[2J',
    }),
  );
  const show = async (...flags: string[]) =>
    (await runMuster(['task', 'list', '--sort-by', 'device_name:asc', ...flags], { url: controller.url }))
      .stdout;

  expect(await show()).toMatch(/^┌.*\n│ TASK +│ TYPE +│ STATUS +│ DEVICE/);
  expect((await show('-f', 'simple')).split('\n')).toEqual([
    expect.stringMatching(/^TASK +TYPE +STATUS +DEVICE +SCHEDULED +CREATED +MESSAGE$/),
    expect.stringMatching(/^aB3dE6gH +PING +PENDING +edge-1 +2026-01-01 00:00:00 Z$/),
    expect.stringMatching(/^Zz000000 +PING +FAILED +edge-2 .*no way\ufffd\[2J$/),
    '',
  ]);
  expect(await show('-f', 'simple', '--no-headers')).toMatch(/^aB3dE6gH/);
  expect(await show('-f', 'detailed')).toMatch(/^Task: +aB3dE6gH\nType: +PING\nStatus: +PENDING\n/);
  expect(JSON.parse(await show('--json'))).toEqual([...controller.tasks.values()]);
  expect(await show('-q')).toBe('aB3dE6gH\nZz000000\n');
});

test('an empty list is [], ends with 0 and says so on stderr', async () => {
  await using controller = await FakeController.start();
  expect(await runMuster(['task', 'list', '-f', 'json'], { url: controller.url })).toEqual({
    exitCode: 0,
    stdout: '[]\n',
    stderr: '',
  });
  expect(await runMuster(['task', 'list'], { url: controller.url })).toEqual({
    exitCode: 0,
    stdout: '',
    stderr: 'No tasks\n',
  });
});

test('hands every filter on', async () => {
  await using controller = await FakeController.start();
  const flags = [
    ...['--device', 'fw-.*', '--status', 'failed', '--type', 'sync', '--expired=false'],
    ...['--created-after', '1h', '--created-before', '2024-01-15T10:30:00Z'],
    ...['--sort-by', 'created_at:asc', '--page', '2', '--per-page', '100'],
  ];
  await runMuster(['task', 'list', ...flags], { url: controller.url });
  await runMuster(['task', 'list', '--expired'], { url: controller.url });
  const [first, second] = controller.seen;
  expect(first?.query).toEqual({
    organization: 'default',
    device_name: 'fw-.*',
    status: 'FAILED',
    type: 'SYNC',
    expired: 'false',
    created_after: '1h',
    created_before: '2024-01-15T10:30:00.000Z',
    sort_by: 'created_at:asc',
    page: '2',
    per_page: '100',
  });
  expect(second?.query.expired).toBe('true');
  expect((await runMuster(['task', 'list', '--per-page', '101'])).exitCode).toBe(2);
});

test('a local time of a filter is sent with its zone', async () => {
  await using controller = await FakeController.start();
  const env = { MUSTER_TIMEZONE: 'Asia/Kolkata' };
  const flags = ['--created-after', '2024-01-15', '--created-before', '2024-01-15 10:30'];
  await runMuster(['task', 'list', ...flags], { url: controller.url, env });
  expect(controller.seen[0]?.query).toMatchObject({
    created_after: '2024-01-14T18:30:00.000Z',
    created_before: '2024-01-15T05:00:00.000Z',
  });
  expect(
    (await runMuster(['task', 'list', '--created-after', 'yesterday'], { url: controller.url })).exitCode,
  ).toBe(2);
});

test('says on stderr where the next page is', async () => {
  await using controller = await FakeController.start();
  controller.add(sampleTask(), sampleTask({ task: 'Zz000000' }));
  const { stderr } = await runMuster(['task', 'list', '--per-page', '1'], { url: controller.url });
  expect(stderr).toBe('Page 1 of 2, 2 tasks in all; next: --page 2\n');
});

test('describes a task in detail, and keeps fields and words of a newer controller in JSON', async () => {
  await using controller = await FakeController.start();
  const task = { ...sampleTask({ progress: 40, message: 'half way' }), status: 'PAUSED', colour: 'green' };
  controller.on('GET /api/v1/tasks/aB3dE6gH', { body: task });
  const text = await runMuster(['task', 'describe', 'aB3dE6gH'], { url: controller.url });
  expect(text.stdout).toMatch(/Status: +PAUSED\nProgress: +40 %\nDevice: +edge-1\n/);
  const json = await runMuster(['task', 'describe', 'aB3dE6gH', '-f', 'json'], { url: controller.url });
  expect(JSON.parse(json.stdout)).toEqual(task);
});

test('shows the verdicts of a health check', async () => {
  await using controller = await FakeController.start();
  const checks = [
    { check: 'disk', name: 'disk /', verdict: 'warn', message: '91 % used', measured: {}, duration_ms: 1 },
  ];
  controller.add(
    sampleTask({ type: 'HEALTH_CHECK', status: 'COMPLETED', result: { verdict: 'warn', checks, facts: {} } }),
  );
  const { stdout } = await runMuster(['task', 'describe', 'aB3dE6gH'], { url: controller.url });
  expect(stdout).toMatch(/Check: +warn {2}disk \/: 91 % used\n/);
});

test('cancels, and says how to stop a task that runs', async () => {
  await using controller = await FakeController.start();
  controller.on('PUT /api/v1/tasks/aB3dE6gH/cancel', ({ body }) =>
    (body as { request: boolean }).request
      ? { body: sampleTask({ status: 'IN_PROGRESS' }) }
      : refused(409, 'not_cancellable', 'Task aB3dE6gH is IN_PROGRESS and can no longer be cancelled'),
  );
  const plain = await runMuster(['task', 'cancel', 'aB3dE6gH'], { url: controller.url });
  expect(plain.exitCode).toBe(6);
  expect(plain.stderr).toContain('--request');
  const asked = await runMuster(['task', 'cancel', 'aB3dE6gH', '--request'], { url: controller.url });
  expect(asked.exitCode).toBe(0);
  expect(asked.stderr).toContain('muster task watch aB3dE6gH');
});

test('prints logs: the device’s stdout on stdout, the rest on stderr', async () => {
  await using controller = await FakeController.start();
  controller.add(sampleTask({ status: 'COMPLETED', completed_at: '2026-01-01T00:00:01.000Z' }));
  controller.log('aB3dE6gH', 'stdout', 'one');
  controller.log('aB3dE6gH', 'stderr', 'two');
  controller.log('aB3dE6gH', 'gap', '7 lines were dropped');
  expect(await runMuster(['task', 'logs', 'aB3dE6gH'], { url: controller.url })).toEqual({
    exitCode: 0,
    stdout: 'one\n',
    stderr: 'two\n[gap] 7 lines were dropped\n',
  });
  const json = await runMuster(['task', 'logs', 'aB3dE6gH', '--json'], { url: controller.url });
  expect(JSON.parse(json.stdout)).toHaveLength(3);
});

test('follows a log until the task has ended', async () => {
  await using controller = await FakeController.start();
  controller.add(sampleTask({ status: 'IN_PROGRESS' }));
  controller.log('aB3dE6gH', 'stdout', 'first');
  const muster = startMuster(['task', 'logs', 'aB3dE6gH', '--follow'], { url: controller.url });
  await until('the first line came', () => muster.stdout === 'first\n');
  controller.log('aB3dE6gH', 'stdout', 'second');
  controller.change('aB3dE6gH', { status: 'COMPLETED' });
  expect(await muster.ended).toMatchObject({ exitCode: 0, stdout: 'first\nsecond\n' });
});

test('watches several tasks, and ends with 3 when only some succeed', async () => {
  await using controller = await FakeController.start();
  controller.add(sampleTask(), sampleTask({ task: 'Zz000000', device_name: 'edge-2' }));
  const muster = startMuster(['task', 'watch', 'aB3dE6gH', 'Zz000000', '-f', 'json'], {
    url: controller.url,
  });
  await until('it shows both', () => muster.stderr.includes('Zz000000 PENDING'));
  controller.change('aB3dE6gH', { status: 'COMPLETED' });
  controller.change('Zz000000', { status: 'EXPIRED' });
  const { exitCode, stdout, stderr } = await muster.ended;
  expect(exitCode).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject([{ status: 'COMPLETED' }, { status: 'EXPIRED' }]);
  expect(stderr).toContain('edge-2 Zz000000 PENDING -> EXPIRED');
});
