import { beforeEach, describe, expect, test } from 'vitest';
import type { Schedule, ScheduledTask } from '../../shared/api/schedules.ts';
import { FakeController, paged, refused } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';
import { runId, sampleAnswer, sampleTask } from '../testing/samples.ts';

const home = '/api/v1/organizations/default';
const at = '2026-01-01T00:00:00.000Z';

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  return () => controller.close();
});
const muster = (...args: string[]) => runMuster(args, { url: controller.url });

const sampleScheduledTask = (changes: Partial<ScheduledTask> = {}): ScheduledTask => ({
  code: 'aB3dE6gH',
  schedule_name: 'nightly',
  kind: 'RUN',
  request: { type: 'PING', targets: { devices: ['fw-1'] } },
  enabled: true,
  created_by: 'admin@example.org',
  last_fired_at: null,
  created_at: at,
  updated_at: at,
  ...changes,
});

const sampleSchedule = (changes: Partial<Schedule> = {}): Schedule => ({
  id: '3b1f8a52-6c0e-4c8e-9f37-5a4a1f3f0d11',
  organization_name: 'default',
  name: 'nightly',
  description: '',
  enabled: true,
  schedule: '0 2 * * *',
  timezone: 'Europe/Berlin',
  overlap: 'skip',
  max_retries: 2,
  retry_delay_seconds: 60,
  last_fired_at: null,
  last_run_at: null,
  next_run_at: '2026-01-02T01:00:00.000Z',
  created_by: 'admin@example.org',
  created_at: at,
  updated_at: at,
  ...changes,
});

test('list shows when each is due', async () => {
  controller.on(`GET ${home}/schedules`, ({ query }) => ({ body: paged([sampleSchedule()], query) }));
  const { stdout } = await muster('schedule', 'list', '-f', 'simple', '--no-headers');
  expect(stdout.trim().split(/ {2,}/)).toEqual([
    'nightly',
    'enabled',
    '0 2 * * *',
    'Europe/Berlin',
    expect.stringContaining('2026-01-02 01:00'),
  ]);
  expect(JSON.parse((await muster('schedule', 'list', '-f', 'json')).stdout)).toEqual([sampleSchedule()]);
});

test('describe shows what it runs', async () => {
  const scheduled_tasks = [sampleScheduledTask(), sampleScheduledTask({ code: 'zzzzzzzz', enabled: false })];
  controller.on(`GET ${home}/schedules/nightly`, { body: sampleSchedule({ scheduled_tasks }) });
  const { stdout } = await muster('schedule', 'describe', 'nightly');
  expect(stdout).toMatch(/Runs:?\s+aB3dE6gH PING on fw-1\n/);
  expect(stdout).toMatch(/zzzzzzzz PING on fw-1 \(disabled\)/);
  expect(stdout).toMatch(/Retries:?\s+2, 60 s after the failure/);
});

test('create sends what was decided, and says how to go on', async () => {
  controller.on(`POST ${home}/schedules`, { status: 201, body: sampleSchedule() });
  const told = await muster(
    ...['schedule', 'create', '--name', 'nightly', '--cron', '0 2 * * *', '--timezone', 'Europe/Berlin'],
    ...['--retries', '2', '--retry-delay', '1m', '--disabled'],
  );
  expect(told.exitCode).toBe(0);
  expect(told.stderr).toContain('muster run ping --all --schedule "nightly"');
  expect(controller.requests(`POST ${home}/schedules`)[0]?.body).toEqual({
    name: 'nightly',
    cron: '0 2 * * *',
    timezone: 'Europe/Berlin',
    max_retries: 2,
    retry_delay_seconds: 60,
    enabled: false,
  });
});

test('a refused expression is told as the controller says it', async () => {
  const error = 'cron "@daily" is a macro: expected five fields';
  controller.on(`POST ${home}/schedules`, refused(400, 'bad_request', error));
  const told = await muster('schedule', 'create', 'nightly', '--cron', '@daily');
  expect(told).toMatchObject({ exitCode: 2, stdout: '' });
  expect(told.stderr).toContain(error);
});

test('enable, disable and update change what they say and nothing else', async () => {
  controller.on(`PATCH ${home}/schedules/two%20words`, { body: sampleSchedule({ name: 'two words' }) });
  for (const args of [['enable'], ['disable'], ['update', '--overlap', 'allow']]) {
    const [verb = '', ...options] = args;
    expect((await muster('schedule', verb, 'two words', ...options)).exitCode).toBe(0);
  }
  const bodies = controller.requests(`PATCH ${home}/schedules/two%20words`).map(({ body }) => body);
  expect(bodies).toEqual([{ enabled: true }, { enabled: false }, { overlap: 'allow' }]);
  expect((await muster('schedule', 'update', 'two words')).exitCode).toBe(2);
});

test('run shows the runs, and fails when some could not be made', async () => {
  const runs = [
    { scheduled_task: 'aB3dE6gH', run: runId, total: 3, error: null },
    { scheduled_task: 'zzzzzzzz', run: null, total: 0, error: 'No device matches fw-9' },
  ];
  controller.on(`POST ${home}/schedules/nightly/run`, { status: 202, body: { schedule: 'nightly', runs } });
  const told = await muster('schedule', 'run', 'nightly');
  expect(told.exitCode).toBe(3);
  expect(told.stdout).toContain('No device matches fw-9');
  expect(told.stderr).toContain(`muster run watch ${runId}`);
});

test('delete and remove need --yes without a terminal', async () => {
  controller.on(`DELETE ${home}/schedules/nightly`, { status: 204 });
  controller.on(`DELETE ${home}/scheduled-tasks/aB3dE6gH`, { status: 204 });
  expect((await muster('schedule', 'delete', 'nightly')).exitCode).toBe(2);
  expect((await muster('schedule', 'delete', 'nightly', '--yes')).exitCode).toBe(0);
  expect((await muster('schedule', 'tasks', 'remove', 'aB3dE6gH')).exitCode).toBe(2);
  expect((await muster('schedule', 'tasks', 'remove', 'aB3dE6gH', '--force')).exitCode).toBe(0);
});

test('preview is of a schedule or of an expression', async () => {
  const body = {
    cron: '0 2 * * *',
    timezone: 'Europe/Berlin',
    firings: [{ at: '2026-01-02T01:00:00.000Z', zone: 'Europe/Berlin', local: '2026-01-02T02:00:00+01:00' }],
  };
  controller.on(`GET ${home}/schedules/nightly/preview`, { body });
  controller.on(`GET ${home}/schedules/preview`, { body });
  expect((await muster('schedule', 'preview', 'nightly')).stdout).toContain('2026-01-02T02:00:00+01:00');
  const args = ['schedule', 'preview', '--cron', '0 2 * * *', '--timezone', 'Europe/Berlin', '-f', 'json'];
  expect(JSON.parse((await muster(...args)).stdout)).toEqual(body);
  expect(controller.requests(`GET ${home}/schedules/preview`)[0]?.query).toEqual({
    cron: '0 2 * * *',
    timezone: 'Europe/Berlin',
    count: '10',
  });
  expect((await muster('schedule', 'preview')).exitCode).toBe(2);
});

describe('--schedule', () => {
  test.each([
    [['run', 'ping'], 'RUN', { type: 'PING', payload: {}, force: false }],
    [
      ['sync', 'apply'],
      'SYNC',
      { on_drift: 'refuse', dry_run: false, ask: false, only_changed: false, force: false },
    ],
    [['backup', 'run'], 'BACKUP', { full: false }],
    [['pull'], 'PULL', {}],
  ])('%j adds to the schedule and runs nothing', async (command, kind, request) => {
    controller.on(`POST ${home}/scheduled-tasks`, { status: 201, body: sampleScheduledTask() });
    const told = await muster(...command, '--device', 'fw-1', '--schedule', 'nightly', '-q');
    expect(told).toMatchObject({ exitCode: 0, stdout: 'aB3dE6gH\n' });
    expect(controller.seen.map(({ method, path, body }) => [method, path, body])).toEqual([
      [
        'POST',
        `${home}/scheduled-tasks`,
        { schedule: 'nightly', kind, request: { ...request, targets: { devices: ['fw-1'] } } },
      ],
    ]);
  });

  test('does not go with what is about now', async () => {
    for (const option of [['--wait'], ['--at', '2h'], ['--dry-run']]) {
      const args = ['run', 'ping', '--all', '--schedule', 'nightly', ...option];
      expect(await muster(...args)).toMatchObject({ exitCode: 2, stdout: '' });
    }
    expect(controller.seen).toEqual([]);
  });
});

describe('run', () => {
  test('list asks for what was given', async () => {
    controller.on('GET /api/v1/runs', ({ query }) => ({ body: paged([], query) }));
    await muster(
      ...['run', 'list', '--status', 'failed', '--trigger', 'schedule', '--schedule', 'nightly'],
      '--type',
      'backup',
      '--created-after',
      '2h',
    );
    expect(controller.requests('GET /api/v1/runs')[0]?.query).toMatchObject({
      status: 'FAILED',
      trigger: 'schedule',
      schedule: 'nightly',
      type: 'BACKUP',
      created_after: '2h',
    });
  });

  test('retry makes a run over the devices in the states asked for', async () => {
    const answer = {
      ...sampleAnswer(sampleTask()),
      skipped: [{ device_name: 'fw-2', reason: 'it is gone' }],
    };
    controller.on(`POST /api/v1/runs/${runId}/retry`, { body: answer });
    const told = await muster('run', 'retry', runId, '--only', 'failed,expired');
    expect(told.exitCode).toBe(0);
    expect(told.stderr).toContain('Skipped fw-2: it is gone');
    expect(controller.requests(`POST /api/v1/runs/${runId}/retry`)[0]?.body).toEqual({
      only: ['FAILED', 'EXPIRED'],
    });
    expect((await muster('run', 'retry', runId, '--only', 'lost')).exitCode).toBe(2);
  });
});
