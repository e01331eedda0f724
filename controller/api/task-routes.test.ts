import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiUnderTest } from '../../test/harness/api.ts';
import type { RunAnswer, Task, TaskList, TaskLogPage } from '../../shared/api/tasks.ts';
import type { Run } from '../../shared/api/runs.ts';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await ApiUnderTest.start();
});
afterAll(() => api[Symbol.asyncDispose]());

const submitPath = '/api/v1/organizations/default/tasks';
const get = async <Body>(url: string): Promise<Body> => {
  const answer = await api.call('GET', url);
  expect(answer.status, answer.text).toBe(200);
  return answer.body as Body;
};
const list = (query: string) => get<TaskList>(`/api/v1/tasks?${query}`);

describe('a list of tasks', () => {
  let run: string;
  let tasks: string[];
  beforeAll(async () => {
    for (const name of ['berlin-1', 'berlin-2', 'rome-1']) await api.device(name);
    ({ run, tasks } = await api.submit(['berlin-1', 'berlin-2', 'rome-1']));
    await api.submit(['rome-1'], {
      type: 'REBOOT',
      scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
    });
    await api.call('PUT', `/api/v1/tasks/${tasks[2]}/cancel`);
  });

  const names = async (query: string) =>
    (await list(`run=${run}&${query}`)).items.map((task) => task.device_name);

  test('is filtered by device name or pattern, status, type, run and expiry', async () => {
    const sorted = 'sort_by=device_name:asc';
    expect(await names(sorted)).toEqual(['berlin-1', 'berlin-2', 'rome-1']);
    expect(await names(`device_name=berlin-.*&${sorted}`)).toEqual(['berlin-1', 'berlin-2']);
    expect(await names('device_name=berlin-2')).toEqual(['berlin-2']);
    expect(await names('device_name=nobody')).toEqual([]);
    expect(await names(`device_name=ERLIN&${sorted}`)).toEqual([]);
    expect(await names(`device_name=erlin&${sorted}`)).toEqual(['berlin-1', 'berlin-2']);
    expect(await names('status=CANCELLED')).toEqual(['rome-1']);
    expect(await names('type=REBOOT')).toEqual([]);
    expect(await names('expired=true')).toEqual([]);
    expect(await names(`expired=false&${sorted}`)).toEqual(['berlin-1', 'berlin-2', 'rome-1']);
    expect((await list('type=REBOOT')).items[0]).toMatchObject({
      status: 'SCHEDULED',
      device_name: 'rome-1',
    });
  });

  test('is filtered by creation, looking back or exactly', async () => {
    expect(await names('created_after=1h')).toHaveLength(3);
    expect(await names('created_before=1h')).toHaveLength(0);
    const soon = encodeURIComponent('2099-01-01T00:00:00+02:00');
    expect(await names(`created_before=${soon}`)).toHaveLength(3);
    expect(await names(`created_after=${soon}`)).toHaveLength(0);
  });

  test('takes the times of clients that send no zone as UTC, and an offset whose plus was not escaped', async () => {
    expect(await names('created_before=2099-01-01T00:00:00')).toHaveLength(3);
    expect(await names('created_after=2099-01-01T00:00:00')).toHaveLength(0);
    expect(await names('created_before=2099-01-01T00:00:00+02:00')).toHaveLength(3);
  });

  test('is sorted both ways, and comes in pages', async () => {
    expect(await names('sort_by=device_name:desc')).toEqual(['rome-1', 'berlin-2', 'berlin-1']);
    const page = await list(`run=${run}&sort_by=device_name:asc&per_page=2&page=2`);
    expect(page).toMatchObject({
      total: 3,
      page: 2,
      per_page: 2,
      pages: 2,
      items: [{ device_name: 'rome-1' }],
    });
  });

  test.each([
    ['sort_by=colour:asc', /created_at, updated_at, .*device_name/],
    ['sort_by=created_at', /:asc or :desc/],
    ['sort_by=created_at:asc:desc', /:asc or :desc/],
    ['created_after=yesterday', /created_after: "yesterday" .*30m, 2h, 7d or 2w ago/],
    ['created_before=2026-05-12T03:00CET', /created_before: .*RFC 3339/],
    ['device_name=((', /\(\(/],
    ['status=DANCING', /status/],
    ['per_page=101', /per_page: .*100/],
    ['page=0', /page/],
    ['expired=maybe', /expired/],
  ])('refuses %s by name', async (query, says) => {
    const answer = await api.call('GET', `/api/v1/tasks?${query}`);
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'bad_request', error: expect.stringMatching(says) },
    });
  });

  test('is not shown to another organization', async () => {
    const foreign = await api.member('admin', 'RW', await api.organization('neighbours'));
    expect((await api.call('GET', '/api/v1/tasks', { as: foreign })).body).toMatchObject({
      items: [],
      total: 0,
    });
    expect((await api.call('GET', '/api/v1/tasks?organization=default', { as: foreign })).status).toBe(404);
    expect((await api.call('GET', `/api/v1/tasks/${tasks[0]}`, { as: foreign })).status).toBe(404);
    expect((await api.call('PUT', `/api/v1/tasks/${tasks[0]}/cancel`, { as: foreign })).status).toBe(404);
  });
});

describe('a task', () => {
  test('is described by code or id, with its parameters as text', async () => {
    await api.device('edge-1');
    const { tasks, run } = await api.submit(['edge-1'], { payload: { host: 'example.org', count: 2 } });
    const task = await get<Task>(`/api/v1/tasks/${tasks[0]}`);
    expect(task).toMatchObject({
      task: tasks[0],
      status: 'PENDING',
      device_name: 'edge-1',
      organization: 'default',
      run,
      created_by: api.admin.account.email,
      started_at: null,
    });
    expect(JSON.parse(task.payload)).toEqual({ host: 'example.org', count: 2 });
    expect(Date.parse(task.expires_at ?? '') - Date.parse(task.created_at)).toBe(600_000);
    expect(await get<Task>(`/api/v1/tasks/${task.id}`)).toEqual(task);
  });

  test('is cancelled by PUT and POST, with a body or without, and twice', async () => {
    await api.device('edge-2');
    const { tasks } = await api.submit(['edge-2']);
    const url = `/api/v1/tasks/${tasks[0]}/cancel`;
    for (const method of ['PUT', 'POST'] as const) {
      expect(await api.call(method, url)).toMatchObject({ status: 200, body: { status: 'CANCELLED' } });
      expect(await api.call(method, url, { body: { request: true } })).toMatchObject({ status: 200 });
    }
    expect(await api.call('PUT', url, { body: { force: true } })).toMatchObject({ status: 400 });
  });

  test('that has ended otherwise is not cancelled: 409 says what it is', async () => {
    const deviceId = await api.device('edge-3');
    const { tasks } = await api.submit(['edge-3']);
    const code = tasks[0] ?? '';
    await api.store.tasks.start([{ deviceId, code }], Date.now(), 0);
    const running = await api.call('PUT', `/api/v1/tasks/${code}/cancel`);
    expect(running).toMatchObject({ status: 409, body: { code: 'not_cancellable' } });
    expect(running.body['error']).toContain(`${code} is IN_PROGRESS`);
  });

  test('shows its log page by page, and says when that was all', async () => {
    const deviceId = await api.device('edge-4');
    const { tasks } = await api.submit(['edge-4']);
    const code = tasks[0] ?? '';
    const { id } = await get<Task>(`/api/v1/tasks/${code}`);
    const at = Date.now();
    await api.store.logs.append(
      Array.from({ length: 5 }, (_, index) => ({
        taskId: id,
        line: index + 1,
        stream: 'stdout' as const,
        at,
        text: `line ${index + 1}`,
      })),
    );
    const logs = (query: string) => get<TaskLogPage>(`/api/v1/tasks/${code}/logs?${query}`);
    const first = await logs('limit=3');
    expect(first.items.map(({ text }) => text)).toEqual(['line 1', 'line 2', 'line 3']);
    const rest = await logs(`after=${first.next}`);
    expect(rest.items.map(({ line }) => line)).toEqual([4, 5]);
    expect(await logs(`after=${rest.next}`)).toEqual({ items: [], next: rest.next, complete: false });

    await api.store.tasks.start([{ deviceId, code }], at, 0);
    const outcome = {
      outcome: 'COMPLETED',
      message: null,
      errorCode: null,
      errorMessage: null,
      result: '{"round_trip_ms":1.5}',
    } as const;
    await api.store.tasks.finish([{ deviceId, code, attempt: 1, ...outcome }], at);
    expect(await logs(`after=${rest.next}`)).toMatchObject({ complete: true });
    expect(await logs('limit=5')).toMatchObject({ complete: false });
    const ended = await get<Task>(`/api/v1/tasks/${code}`);
    expect(ended.message, 'the result in a line for people').toBe('1.5 ms');
  });
});

describe('a run', () => {
  test.each([
    [{ rollout: { batch: '0' } }, /rollout.batch: .*above 0/],
    [{ rollout: { batch: '0%' } }, /rollout.batch/],
    [{ payload: 7 }, /payload: expected an object or JSON text/],
    [{ targets: { labels: { 'no key!': 'x' } } }, /targets.labels.no key!: expected a label key/],
  ])('is refused with %j, by name', async (wrong, says) => {
    const body = { type: 'PING', targets: { all: true }, ...wrong };
    const { status, body: refusal } = await api.call('POST', submitPath, { body });
    expect({ status, error: refusal['error'] }).toEqual({ status: 400, error: expect.stringMatching(says) });
  });

  test('is made once for one Idempotency-Key, and another request under that key is refused', async () => {
    await api.device('edge-5');
    const body = { type: 'PING', targets: { devices: ['edge-5'] } };
    const submit = (over: object, key: string) =>
      api.call('POST', submitPath, { body: { ...body, ...over }, headers: { 'idempotency-key': key } });
    const first = await submit({}, 'once');
    const again = await submit({}, 'once');
    expect(again.body).toEqual(first.body);
    expect(first.headers['idempotency-replayed']).toBeUndefined();
    expect(again.headers['idempotency-replayed']).toBe('true');

    const other = await submit({ force: true }, 'once');
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_mismatch' } });
    expect((await submit({}, 'twice')).body['run']).not.toBe(first.body['run']);
    expect(await submit({}, 'has spaces')).toMatchObject({ status: 400 });
    expect(await submit({}, 'x'.repeat(256))).toMatchObject({ status: 400 });
  });

  test('under one key is made once however many ask at the same time', async () => {
    await api.device('edge-6');
    const body = { type: 'PING', targets: { devices: ['edge-6'] } };
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        api.call('POST', submitPath, { body, headers: { 'idempotency-key': 'at once'.replace(' ', '-') } }),
      ),
    );
    expect(new Set(answers.map((answer) => (answer.body as RunAnswer).run)).size).toBe(1);
    expect((await list('device_name=edge-6')).total).toBe(1);
  });

  test('with a target that does not exist creates nothing and names it', async () => {
    const before = (await list('')).total;
    const body = { type: 'PING', targets: { devices: ['edge-1', 'nobody', 'nothing-.*'] } };
    const answer = await api.call('POST', submitPath, { body });
    expect(answer).toMatchObject({ status: 422, body: { code: 'unresolved_targets' } });
    expect(answer.body['error']).toMatch(/nobody.*nothing-\.\*/);
    expect((await list('')).total).toBe(before);
  });

  test.each([
    ['PING', 2],
    ['REBOOT', 0],
  ])('of %s tells how often a failed task is really tried again when 2 is asked for', async (type, max) => {
    await api.device(`retried-${type}`);
    const body = { type, targets: { devices: [`retried-${type}`] }, max_retries: 2 };
    const { body: answer } = await api.call('POST', submitPath, { body });
    expect(answer['max_retries']).toBe(max);
    expect(await get<Run>(`/api/v1/runs/${String(answer['run'])}`)).toMatchObject({ max_retries: max });
  });

  test('is listed, described with its counts, and cancelled', async () => {
    await api.device('edge-7');
    await api.device('edge-8');
    const { run, tasks } = await api.submit(['edge-7', 'edge-8']);
    expect((await get<{ items: Run[] }>('/api/v1/runs')).items[0]?.id).toBe(run);
    expect(await get<Run>(`/api/v1/runs/${run}`)).toMatchObject({
      status: 'IN_PROGRESS',
      total: 2,
      counts: { PENDING: 2, COMPLETED: 0 },
    });
    const cancelled = await api.call('POST', `/api/v1/runs/${run}/cancel`);
    expect(cancelled.body).toEqual({ run, cancelled: 2, requested: 0, still_running: 0 });
    expect(await get<Task>(`/api/v1/tasks/${tasks[0]}`)).toMatchObject({ status: 'CANCELLED' });
    expect(await get<Run>(`/api/v1/runs/${run}`)).toMatchObject({
      status: 'CANCELLED',
      counts: { CANCELLED: 2 },
    });
    expect((await api.call('GET', '/api/v1/runs/nothing')).status).toBe(404);
  });
});
