import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DesiredUnderTest } from '../../test/harness/desired.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';

const home = '/api/v1/organizations/default';
const request = { type: 'PING', targets: { devices: ['fw-1'] } };

let api: ApiUnderTest;
beforeAll(async () => {
  api = await ApiUnderTest.start();
  await api.device('fw-1');
  await api.device('fw-2');
});
afterAll(() => api[Symbol.asyncDispose]());

const create = (name: string, over: object = {}) =>
  api.call('POST', `${home}/schedules`, { body: { name, cron: '0 2 * * *', ...over } });

test.each([
  ['devices', ['fw-1', 'wf-2', 'nowhere'], 'No device matches wf-2 (did you mean fw-2?), nowhere'],
  ['devices', ['fw.-2'], 'No device matches fw.-2 (did you mean fw-2?)'],
])('what runs on %s %j is refused: no such device', async (selector, wanted, error) => {
  const wish = { kind: 'RUN', request: { ...request, targets: { [selector]: wanted } } };
  const refused = { status: 422, body: { code: 'unresolved_targets', error } };
  expect(await create('misspelt', { scheduled_tasks: [wish] })).toMatchObject(refused);
  await create('spelt');
  const added = await api.call('POST', `${home}/scheduled-tasks`, { body: { schedule: 'spelt', ...wish } });
  expect(added).toMatchObject(refused);
  await api.call('DELETE', `${home}/schedules/spelt`);
});

test('what runs on patterns and labels is taken: their devices may be still to come', async () => {
  const targets = { devices: ['fw.1', 'branch-.*'], labels: { site: 'oslo' }, ous: ['north'] };
  const made = await create('growing', { scheduled_tasks: [{ request: { ...request, targets } }] });
  expect(made.status, made.text).toBe(201);
  await api.call('DELETE', `${home}/schedules/growing`);
});

describe('a schedule', () => {
  test('is created, read, changed and deleted', async () => {
    const made = await create('Nightly backup', {
      timezone: 'America/New_York',
      scheduled_tasks: [{ request }],
    });
    expect(made).toMatchObject({
      status: 201,
      body: {
        organization_name: 'default',
        name: 'Nightly backup',
        enabled: true,
        schedule: '0 2 * * *',
        timezone: 'America/New_York',
        overlap: 'skip',
        max_retries: 0,
        last_fired_at: null,
        created_by: api.admin.account.email,
        scheduled_tasks: [{ kind: 'RUN', schedule_name: 'Nightly backup', enabled: true, request }],
      },
    });
    expect(Date.parse(String(made.body['next_run_at']))).toBeGreaterThan(Date.now());
    const path = `${home}/schedules/Nightly%20backup`;
    expect((await api.call('GET', path)).body).toEqual(made.body);
    expect((await api.call('GET', `${home}/schedules/${String(made.body['id'])}`)).body).toEqual(made.body);
    const [listed] = (await api.call('GET', `${home}/schedules`)).body['items'] as object[];
    expect(listed).not.toHaveProperty('scheduled_tasks');

    const disabled = await api.call('POST', `${path}/disable`);
    expect(disabled.body).toMatchObject({ enabled: false, next_run_at: null });
    const changed = await api.call('PATCH', path, { body: { cron: '30 6 * * 1', timezone: 'device' } });
    expect(changed.body).toMatchObject({ enabled: false, schedule: '30 6 * * 1', timezone: 'device' });
    expect((await api.call('POST', `${path}/enable`)).body['next_run_at']).toMatch(/T06:30:00/);
    expect((await api.call('DELETE', path)).status).toBe(204);
    expect((await api.call('GET', path)).status).toBe(404);
  });

  test('is run once under one key, each thing that it runs, and again under another', async () => {
    const other = { request: { ...request, targets: { devices: ['fw-2'] } } };
    await create('keyed', { scheduled_tasks: [{ request }, other] });
    const run = (key: string, name = 'keyed') =>
      api.call('POST', `${home}/schedules/${name}/run`, { headers: { 'idempotency-key': key } });
    const first = await run('k1');
    expect(first).toMatchObject({ status: 202, body: { runs: [{ total: 1 }, { total: 1 }] } });
    expect((await run('k1')).body).toEqual(first.body);
    const next = await run('k2');
    expect(next.body).not.toEqual(first.body);
    const { body } = await api.call('GET', '/api/v1/runs?organization=default&schedule=keyed');
    expect(body['total']).toBe(4);

    await create('other', { scheduled_tasks: [{ request }] });
    expect((await run('bad key')).status).toBe(400);
    const listed = await api.call('GET', `${home}/schedules/keyed/firings`);
    expect(listed.body['total']).toBe(4);
  });

  test.each([
    [{ cron: '0 0 2 * * *' }, 'seconds', /has 6 fields: seconds/],
    [{ cron: '@daily' }, 'macro', /is a macro/],
    [{ cron: '0 0 31 2 *' }, 'impossible', /never fires/],
    [{ cron: '0 0 L * *' }, 'extension', /uses L/],
    [{ cron: '0 25 * * *' }, 'syntax', /expected \*, 0 to 23/],
    [{ timezone: 'EST' }, 'abbreviation', /is an abbreviation/],
    [{ timezone: 'Mars/Phobos' }, 'unknown_zone', /is not a time zone/],
  ])('%j is 400, each with a message of its own', async (over, reason, message) => {
    const answer = await create('wrong', over);
    expect(answer).toMatchObject({ status: 400, body: { code: 'bad_request', detail: { reason } } });
    expect(answer.body['error']).toMatch(message);
  });

  test('has a name of its own in the organization', async () => {
    await create('twice');
    expect(await create('twice')).toMatchObject({ status: 409, body: { code: 'name_taken' } });
    expect((await create('preview')).status).toBe(400);
    expect((await create('a/b')).status).toBe(400);
  });

  test('tells its next times, and those of any expression', async () => {
    await create('soon', { cron: '0 12 * * *', timezone: 'Asia/Tokyo' });
    const own = await api.call('GET', `${home}/schedules/soon/preview`);
    const firings = own.body['firings'] as { at: string; local: string; zone: string }[];
    expect(firings).toHaveLength(10);
    expect(
      firings.every(({ at, local }) => at.endsWith('T03:00:00.000Z') && local.endsWith('T12:00:00+09:00')),
    ).toBe(true);
    const query = new URLSearchParams({ cron: '*/5 * * * *', timezone: 'UTC', count: '3' });
    const any = await api.call('GET', `${home}/schedules/preview?${query}`);
    expect(any.body['firings']).toHaveLength(3);
    expect((await api.call('GET', `${home}/schedules/preview?cron=nonsense`)).status).toBe(400);
  });

  test('is run by a person with 202, and tells it in its history', async () => {
    await create('by hand', { enabled: false, scheduled_tasks: [{ request }] });
    const answer = await api.call('POST', `${home}/schedules/by%20hand/run`);
    expect(answer).toMatchObject({
      status: 202,
      body: { schedule: 'by hand', runs: [{ total: 1, error: null }] },
    });
    const [{ run }] = answer.body['runs'] as [{ run: string }];
    expect((await api.call('GET', `/api/v1/runs/${run}`)).body).toMatchObject({
      trigger: 'manual',
      schedule: 'by hand',
    });
    expect((await api.call('GET', `${home}/schedules/by%20hand/firings`)).body['items']).toMatchObject([
      { trigger: 'manual', outcome: 'fired', run, zone: null },
    ]);
    expect((await api.call('GET', '/api/v1/runs?schedule=by+hand')).body['total']).toBe(1);
    await create('empty');
    expect((await api.call('POST', `${home}/schedules/empty/run`)).status).toBe(409);
  });
});

describe('what schedules run', () => {
  test('is added by a run request with a schedule: 201, and no run', async () => {
    await create('weekly');
    const before = (await api.call('GET', '/api/v1/runs')).body['total'];
    const answer = await api.call('POST', `${home}/tasks`, { body: { ...request, schedule: 'weekly' } });
    expect(answer).toMatchObject({ status: 201, body: { schedule_name: 'weekly', kind: 'RUN', request } });
    expect((await api.call('GET', '/api/v1/runs')).body['total']).toBe(before);
    const filtered = await api.call('GET', `${home}/scheduled-tasks?schedule=weekly`);
    expect(filtered.body['items']).toEqual([answer.body]);
    expect((await api.call('GET', `${home}/scheduled-tasks?schedule=nobody`)).body['total']).toBe(0);

    const at = { scheduled_at: '2027-01-01T00:00:00Z' };
    const both = await api.call('POST', `${home}/tasks`, { body: { ...request, ...at, schedule: 'weekly' } });
    expect(both).toMatchObject({ status: 422, body: { code: 'exclusive_options' } });
    const unknown = await api.call('POST', `${home}/tasks`, { body: { ...request, schedule: 'nobody' } });
    expect(unknown.status).toBe(404);
  });

  test('is switched off, changed and removed by its code', async () => {
    const made = await create('many', { scheduled_tasks: [{ request }] });
    const [{ code }] = made.body['scheduled_tasks'] as [{ code: string }];
    const path = `${home}/scheduled-tasks/${code}`;
    expect((await api.call('POST', `${path}/disable`)).body).toMatchObject({ enabled: false });
    expect((await api.call('POST', `${path}/enable`)).body).toMatchObject({ enabled: true });
    const other = { type: 'REBOOT', targets: { all: true } };
    expect((await api.call('PATCH', path, { body: { request: other } })).body).toMatchObject({
      request: other,
    });
    expect((await api.call('DELETE', path)).status).toBe(204);
    expect((await api.call('GET', path)).status).toBe(404);
  });

  test.each(['SYNC', 'PULL', 'BACKUP', 'PLUGIN_INSTALL'])('may be %s', async (kind) => {
    const tasks = [{ kind, request: { targets: { all: true } } }];
    expect((await create(`of kind ${kind}`, { scheduled_tasks: tasks })).status).toBe(201);
  });

  test('is checked as its own route would', async () => {
    const reading = {
      scheduled_tasks: [{ kind: 'BACKUP', request: { targets: { all: true }, scheduled_at: 'x' } }],
    };
    expect((await create('late', reading)).status).toBe(400);
    const plain = { scheduled_tasks: [{ request: { type: 'BACKUP', targets: { all: true } } }] };
    expect(await create('plain', plain)).toMatchObject({
      status: 422,
      body: { code: 'task_type_not_supported' },
    });
  });
});

describe('running a schedule of', () => {
  const runOf = async (kind: string, device: string) => {
    const name = `${kind} by hand`;
    const tasks = [{ kind, request: { targets: { devices: [device] } } }];
    await create(name, { scheduled_tasks: tasks });
    return api.call('POST', `${home}/schedules/${encodeURIComponent(name)}/run`);
  };

  test('SYNC renders and sends what is desired then', async () => {
    const desired = new DesiredUnderTest(api);
    await desired.device('fw-desired');
    const file = { path: '/etc/motd', unit: 'files', template: 'hello' };
    await desired.ok('PUT', 'bundles/motd', {
      profile: 'test',
      targets: { devices: ['fw-desired'] },
      files: [file],
    });
    const answer = await runOf('SYNC', 'fw-desired');
    expect(answer).toMatchObject({ status: 202, body: { runs: [{ total: 1, error: null }] } });
    const [{ run }] = answer.body['runs'] as [{ run: string }];
    expect((await api.call('GET', `/api/v1/runs/${run}`)).body).toMatchObject({
      type: 'SYNC',
      schedule: 'SYNC by hand',
      trigger: 'manual',
    });
  });

  test('PULL asks for the configuration', async () => {
    expect(await runOf('PULL', 'fw-1')).toMatchObject({ status: 202, body: { runs: [{ total: 1 }] } });
  });

  test('PLUGIN_INSTALL is refused while no release is promoted', async () => {
    expect(await runOf('PLUGIN_INSTALL', 'fw-1')).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  test('BACKUP is refused while nobody could read it', async () => {
    expect(await runOf('BACKUP', 'fw-1')).toMatchObject({
      status: 422,
      body: { code: 'too_few_recipients' },
    });
  });
});

describe('a run is tried again', () => {
  test('on the devices that did not do it, linked to what it tries again', async () => {
    const { run, tasks } = await api.submit(['fw-1', 'fw-2']);
    await api.call('POST', `/api/v1/tasks/${tasks[1] ?? ''}/cancel`);
    const answer = await api.call('POST', `/api/v1/runs/${run}/retry`);
    expect(answer).toMatchObject({
      status: 200,
      body: { type: 'PING', total: 1, tasks: [{ device_name: 'fw-2' }] },
    });
    const [{ task }] = answer.body['tasks'] as [{ task: string }];
    expect((await api.call('GET', `/api/v1/tasks/${task}`)).body).toMatchObject({ retry_of: tasks[1] });
    expect((await api.call('GET', `/api/v1/runs/${String(answer.body['run'])}`)).body).toMatchObject({
      trigger: 'retry',
      retry_of: run,
    });
  });

  test('unless there is none, which is 409', async () => {
    const { run } = await api.submit(['fw-1']);
    expect((await api.call('POST', `/api/v1/runs/${run}/retry`, { body: { only: ['FAILED'] } })).status).toBe(
      409,
    );
    expect((await api.call('POST', '/api/v1/runs/nobody/retry')).status).toBe(404);
  });

  test('also on devices that were skipped, once they can', async () => {
    await api.device('fw-3', { status: 'PENDING' });
    const made = await api.call('POST', `${home}/tasks`, {
      body: { type: 'PING', targets: { devices: ['fw-1', 'fw-[3]'] } },
    });
    const path = `/api/v1/runs/${String(made.body['run'])}/retry`;
    const early = await api.call('POST', path, { body: { only: ['SKIPPED'] } });
    expect(early).toMatchObject({ status: 409, body: { detail: { left_out: [{ device_name: 'fw-3' }] } } });
    await api.call('POST', `${home}/devices/fw-3/approve`);
    const answer = await api.call('POST', path, { body: { only: ['SKIPPED'] } });
    expect(answer.body['tasks']).toMatchObject([{ device_name: 'fw-3' }]);
  });
});
