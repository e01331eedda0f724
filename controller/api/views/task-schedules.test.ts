import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ApiUnderTest } from '../../../test/harness/api.ts';
import { keepNetdiag } from '../../../test/harness/plugin-archive.ts';

const root = '/api/tasks/schedules';

let api: ApiUnderTest;
let devices: string[];
beforeAll(async () => {
  api = await ApiUnderTest.start();
  devices = [await api.device('fw-1'), await api.device('fw-2')];
  const recipients = ['q', 'p'].map((letter) => `age1${letter.repeat(58)}`);
  await api.call('PUT', '/api/v1/organizations/default/backup-config', { body: { recipients } });
});
afterAll(() => api[Symbol.asyncDispose]());

const backup = (name: string, over: object = {}) => ({
  name,
  task_type: 'backup',
  cron_expression: '0 2 * * *',
  timezone: 'America/New_York',
  parameters: { device_ids: devices, capture_running: true, capture_startup: true },
  enabled: true,
  ...over,
});
const create = (name: string, over: object = {}) => api.call('POST', root, { body: backup(name, over) });
const made = async (name: string, over: object = {}): Promise<string> => {
  const answer = await create(name, over);
  expect(answer.status, answer.text).toBe(201);
  return `${root}/${String(answer.body['id'])}`;
};
/** What schedules of the other vocabulary say of the same thing. */
const underneath = (name: string): Promise<Answer> =>
  api.call('GET', `/api/v1/organizations/default/schedules/${encodeURIComponent(name)}`);
const wrong = (status: number, code: string, message: RegExp) => ({
  status,
  body: { error: { code, status, message: expect.stringMatching(message) as string } },
});

test('an expression that is refused is named as the field it came in', async () => {
  const { status, body } = await create('with seconds', { cron_expression: '0 0 2 * * *' });
  expect(status).toBe(400);
  expect(body).toMatchObject({ error: { details: { field: 'cron_expression', reason: 'seconds' } } });
});

describe('a scheduled task', () => {
  test('is a schedule with one thing to run, and is read as it was made', async () => {
    const answer = await create('Nightly', { description: 'all of it' });
    expect(answer).toMatchObject({
      status: 201,
      body: {
        name: 'Nightly',
        description: 'all of it',
        task_type: 'backup',
        cron_expression: '0 2 * * *',
        timezone: 'America/New_York',
        parameters: { device_ids: devices, capture_running: true, capture_startup: true },
        enabled: true,
        max_retries: 3,
        retry_delay_seconds: 60,
        timeout_seconds: 7200,
        last_run_at: null,
      },
    });
    expect(Date.parse(String(answer.body['next_run_at']))).toBeGreaterThan(Date.now());
    const path = `${root}/${String(answer.body['id'])}`;
    expect((await api.call('GET', path)).body).toEqual({ ...answer.body, executions: [] });
    expect((await underneath('Nightly')).body).toMatchObject({
      id: answer.body['id'],
      max_retries: 3,
      scheduled_tasks: [{ kind: 'BACKUP', request: { targets: { devices }, full: false } }],
    });
    expect((await api.call('DELETE', path)).status).toBe(204);
    expect(await api.call('GET', path)).toMatchObject(wrong(404, 'NOT_FOUND', /does not exist/));
  });

  test.each([
    ['health_check', { checks: [{ check: 'memory' }] }, 'HEALTH_CHECK', { checks: [{ check: 'memory' }] }],
    ['custom_script', { script: 'true', interpreter: ['/bin/bash'] }, 'SCRIPT', { script: 'true' }],
    ['custom_script', { argv: ['uptime'] }, 'SCRIPT', { argv: ['uptime'] }],
  ])('of type %s %j runs %s', async (taskType, parameters, type, payload) => {
    const name = `${taskType} ${JSON.stringify(parameters).length}`;
    const path = await made(name, {
      task_type: taskType,
      parameters: { device_ids: devices.slice(0, 1), ...parameters },
    });
    expect((await underneath(name)).body).toMatchObject({
      scheduled_tasks: [
        { kind: 'RUN', request: { type, payload, targets: { devices: devices.slice(0, 1) } } },
      ],
    });
    const run = await api.call('POST', `${path}/run`);
    expect(run.status, run.text).toBe(202);
    expect((await api.call('GET', path)).body).toMatchObject({
      task_type: taskType,
      parameters: { device_ids: devices.slice(0, 1), ...parameters },
      executions: [{ id: run.body['id'] }],
    });
  });

  test('says how it is tried again at the top level or among its parameters; the top level goes first', async () => {
    const inside = { device_ids: devices, max_retries: 5, retry_delay_seconds: 10, timeout_seconds: 30 };
    const path = await made('retried', { parameters: inside, max_retries: 7 });
    const retries = { max_retries: 7, retry_delay_seconds: 10, timeout_seconds: 30 };
    expect((await api.call('GET', path)).body).toMatchObject(retries);
    expect((await underneath('retried')).body).toMatchObject({
      max_retries: 7,
      retry_delay_seconds: 10,
      scheduled_tasks: [{ request: { timeout_seconds: 30 } }],
    });
    await api.call('PUT', path, { body: { parameters: { device_ids: devices, max_retries: 0 } } });
    expect((await api.call('GET', path)).body).toMatchObject({ ...retries, max_retries: 0 });
    await api.call('PUT', path, { body: { timeout_seconds: 90 } });
    expect((await api.call('GET', path)).body).toMatchObject({
      max_retries: 0,
      timeout_seconds: 90,
      parameters: { device_ids: devices },
    });
  });

  test('changes as a whole or not at all; what is absent stays', async () => {
    const path = await made('before');
    await made('taken');
    const script = { task_type: 'custom_script', parameters: { device_ids: devices, script: 'true' } };
    const before = (await api.call('GET', path)).body;
    expect(await api.call('PUT', path, { body: { ...script, name: 'taken' } })).toMatchObject(
      wrong(409, 'CONFLICT', /taken exists already/),
    );
    expect(await api.call('PUT', path, { body: { ...script, cron_expression: '0 25 * * *' } })).toMatchObject(
      wrong(400, 'BAD_REQUEST', /hour/),
    );
    expect((await api.call('GET', path)).body).toEqual(before);

    const answer = await api.call('PUT', path, { body: { ...script, name: 'after' } });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        id: before['id'],
        name: 'after',
        cron_expression: '0 2 * * *',
        ...script,
        timeout_seconds: 3600,
      },
    });
  });

  test.each([
    ['backup', {}],
    ['health_check', { checks: [{ check: 'memory' }] }],
    ['custom_script', { script: 'true', env: { A: 'b' } }],
  ])('of type %s may be sent back as it was read, with something changed', async (taskType, more) => {
    const parameters = { device_ids: devices, ...more };
    const path = await made(`sent back ${taskType}`, {
      task_type: taskType,
      parameters,
      timeout_seconds: 77,
    });
    const read = (await api.call('GET', path)).body;
    const answer = await api.call('PUT', path, {
      body: { ...read, cron_expression: '5 4 * * *', id: 'other' },
    });
    expect(answer.status, answer.text).toBe(200);
    expect((await api.call('GET', path)).body).toEqual({
      ...read,
      cron_expression: '5 4 * * *',
      next_run_at: answer.body['next_run_at'],
      updated_at: answer.body['updated_at'],
    });
  });

  test('runs while it is disabled, and its executions are found from it', async () => {
    const path = await made('off', {
      enabled: false,
      task_type: 'health_check',
      parameters: { device_ids: devices },
    });
    expect((await api.call('GET', path)).body).toMatchObject({ enabled: false, next_run_at: null });
    const run = await api.call('POST', `${path}/run`);
    const id = path.slice(root.length + 1);
    expect(run).toMatchObject({
      status: 202,
      body: { task_id: id, status: 'running', trigger: 'manual', completed_at: null, device_count: 2 },
    });
    const second = await api.call('POST', `${path}/run`);
    const listed = await api.call('GET', `${path}/executions?limit=1`);
    expect(listed.body).toMatchObject({ total: 2, limit: 1, offset: 0, executions: [second.body] });
    const execution = `/api/tasks/executions/${String(run.body['id'])}`;
    expect((await api.call('GET', execution)).body).toMatchObject({
      ...run.body,
      results: [
        { device_name: 'fw-1', device_id: devices[0], status: 'pending' },
        { device_name: 'fw-2', device_id: devices[1], status: 'pending' },
      ],
    });
    expect(await api.call('POST', `${execution}/cancel`)).toMatchObject({
      status: 200,
      body: { status: 'cancelled', results: [{ status: 'cancelled' }, { status: 'cancelled' }] },
    });
    expect(await api.call('POST', `${execution}/cancel`)).toMatchObject(
      wrong(409, 'NOT_CANCELLABLE', /is cancelled/),
    );
    expect((await api.call('GET', path)).body['last_run_at']).not.toBeNull();
  });

  test('is run once by a request that is sent twice under one key', async () => {
    const path = await made('keyed');
    const run = () => api.call('POST', `${path}/run`, { headers: { 'idempotency-key': 'once' } });
    const first = await run();
    expect(first.status, first.text).toBe(202);
    expect(await run()).toMatchObject({ status: 202, body: { id: first.body['id'] } });
    expect((await api.call('GET', `${path}/executions`)).body['total']).toBe(1);
  });

  test('is enabled by the value that is wished', async () => {
    const path = await made('toggled');
    for (const enabled of [false, false, true]) {
      const answer = await api.call('POST', `${path}/toggle`, { body: { enabled } });
      expect(answer).toMatchObject({ status: 200, body: { enabled } });
    }
    expect(await api.call('POST', `${path}/toggle`)).toMatchObject(wrong(400, 'BAD_REQUEST', /enabled/));
  });
});

describe('what is refused says why', () => {
  test.each([
    [{ cron_expression: '0 0 2 * * *' }, /has 6 fields: seconds/],
    [{ cron_expression: 'nonsense' }, /expected five/],
    [{ cron_expression: '0 0 31 2 *' }, /never fires/],
    [{ timezone: 'EST' }, /is an abbreviation/],
    [{ timezone: 'GMT' }, /is an abbreviation/],
    [{ timezone: 'Mars/Phobos' }, /is not a time zone/],
    [{ task_type: 'deployment' }, /task_type/],
    [{ parameters: {} }, /exactly one of device_ids and targets/],
    [{ parameters: { device_ids: [] } }, /device_ids/],
    [{ parameters: { device_ids: ['x'], surprise: 1 } }, /surprise/],
    [
      { parameters: { device_ids: ['x'], capture_running: false, capture_startup: false } },
      /ask for nothing/,
    ],
    [{ max_retries: 21 }, /max_retries/],
    [{ parameters: { device_ids: ['x'], max_retries: -1 } }, /max_retries/],
    [{ name: '' }, /name/],
  ])('%j is 400', async (over, message) => {
    expect(await create('wrong', over)).toMatchObject(wrong(400, 'BAD_REQUEST', message));
  });

  test('devices that are not there, by id', async () => {
    const unknown = 'f47ac10b-58cc-4372-a567-0e02b2c3d479';
    const answer = await create('nowhere', { parameters: { device_ids: [...devices, unknown] } });
    expect(answer).toMatchObject(
      wrong(422, 'DEVICE_NOT_FOUND', new RegExp(`No device has the id ${unknown}$`)),
    );
    expect(answer.body).toMatchObject({ error: { details: { unresolved: [unknown] } } });
  });

  test('a name that is taken, and nobody who asks', async () => {
    await made('once');
    expect(await create('once')).toMatchObject(wrong(409, 'CONFLICT', /once exists already/));
    expect(await api.call('GET', root, { as: null })).toMatchObject(wrong(401, 'UNAUTHORIZED', /token/));
    expect(await api.call('GET', `${root}/x/y`)).toMatchObject(wrong(404, 'NOT_FOUND', /nothing at/));
    expect(await api.call('POST', root, { raw: '{' })).toMatchObject(wrong(400, 'BAD_REQUEST', /not JSON/));
  });
});

describe('the list', () => {
  test('begins anywhere, and knows schedules that were made elsewhere by what they run first', async () => {
    await using other = await ApiUnderTest.start();
    await other.device('fw-1');
    const schedules = '/api/v1/organizations/default/schedules';
    const ping = { request: { type: 'PING', targets: { devices: ['fw-1'] }, payload: '{"count":2}' } };
    await other.call('POST', schedules, { body: { name: 'b', cron: '0 1 * * *', scheduled_tasks: [ping] } });
    await other.call('POST', schedules, { body: { name: 'empty', cron: '0 1 * * *' } });
    await other.call('POST', schedules, {
      body: {
        name: 'a',
        cron: '0 1 * * *',
        scheduled_tasks: [{ kind: 'PULL', request: { targets: { all: true } } }],
      },
    });
    const { body } = await other.call('GET', root);
    expect(body).toMatchObject({
      tasks: [
        { name: 'a', task_type: 'pull', parameters: { targets: { all: true } }, max_retries: 0 },
        { name: 'b', task_type: 'ping', parameters: { targets: { devices: ['fw-1'] }, count: 2 } },
      ],
      total: 2,
      limit: 50,
      offset: 0,
    });
    expect((await other.call('GET', `${root}?limit=1&offset=1`)).body).toMatchObject({
      tasks: [{ name: 'b' }],
      total: 2,
      limit: 1,
      offset: 1,
    });
    const [, second] = body['tasks'] as { id: string }[];
    const path = `${root}/${second?.id}`;
    expect(await other.call('PUT', path, { body: { enabled: false, timeout_seconds: 5 } })).toMatchObject({
      status: 200,
      body: { enabled: false, timeout_seconds: 5, parameters: { count: 2 } },
    });
    expect(await other.call('PUT', path, { body: { parameters: { device_ids: ['x'] } } })).toMatchObject(
      wrong(422, 'TASK_TYPE_NOT_SUPPORTED', /What runs is ping/),
    );
    expect((await other.call('GET', `${root}?limit=0`)).status).toBe(400);
  });

  test('knows the type of a plugin, with the time-out of its manifest', async () => {
    await using other = await ApiUnderTest.start();
    await keepNetdiag(other.store, other.admin.organization.id);
    const task = { type: 'NETDIAG.TRACEROUTE', targets: { all: true }, payload: { host: 'a' } };
    for (const [name, more] of [
      ['a', {}],
      ['b', { timeout_seconds: 5 }],
    ] as const) {
      const scheduled_tasks = [{ request: { ...task, ...more } }];
      const body = { name, cron: '0 1 * * *', scheduled_tasks };
      await other.call('POST', '/api/v1/organizations/default/schedules', { body });
    }
    const { tasks } = (await other.call('GET', root)).body as { tasks: [{ id: string }] };
    expect(tasks).toMatchObject([
      { task_type: 'netdiag.traceroute', timeout_seconds: 90, parameters: { host: 'a' } },
      { task_type: 'netdiag.traceroute', timeout_seconds: 5 },
    ]);
    expect((await other.call('GET', `${root}/${tasks[0].id}`)).body).toMatchObject({ timeout_seconds: 90 });
  });
});
