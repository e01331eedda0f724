import { describe, expect, test } from 'vitest';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { restoreOf } from '../../test/harness/configuration-samples.ts';
import { DesiredUnderTest } from '../../test/harness/desired.ts';
import { Manifest } from '../../shared/manifest.ts';
import { contentDigest } from '../content/desired.ts';
import { sha256Of } from '../content/sha256.ts';

async function stage(): Promise<{ api: ApiUnderTest; desired: DesiredUnderTest } & AsyncDisposable> {
  const api = await ApiUnderTest.start();
  return { api, desired: new DesiredUnderTest(api), [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

/** The manifest of a task, as its device reads it. */
async function manifestOf(desired: DesiredUnderTest, code: string) {
  const { parameters } = await desired.parameters(code);
  const text = await desired.api.store.texts.get(parameters['manifest'] as string);
  expect(sha256Of(text ?? '')).toBe(parameters['manifest']);
  const manifest = Manifest.parse(JSON.parse(text ?? ''));
  const texts = await desired.api.store.texts.getMany(manifest.files.map(({ blob }) => blob));
  return {
    parameters,
    manifest,
    text,
    files: manifest.files.map(({ path, blob }) => [path, texts.get(blob)]),
  };
}

describe('a sync', () => {
  test('makes a SYNC for each device, with a manifest of its own', async () => {
    await using given = await stage();
    const { desired } = given;
    await desired.device('fw-1', { labels: { site: 'berlin' } });
    await desired.device('fw-2');
    await desired.variable('mtu', 1500);
    await desired.variable('mtu', 9000, { scope: 'label', key: 'site=berlin' });
    await desired.bundle('base', { '/etc/motd': '{{ device.name }} {{ mtu }}\n', '/etc/issue': null });

    const { tasks, ...answer } = await desired.sync();
    expect(answer).toMatchObject({ type: 'SYNC', total: 2, skipped: [], errors: [] });
    const [first, second] = await Promise.all(tasks.map(({ task }) => manifestOf(desired, task)));
    expect(first?.files).toEqual([['/etc/motd', 'fw-1 9000\n']]);
    expect(second?.files).toEqual([['/etc/motd', 'fw-2 1500\n']]);
    expect(first?.manifest).toMatchObject({
      generation: 1,
      profile: { id: 'test', rev: 1 },
      files: [{ mode: '0644', owner: 'root', group: 'root', encoding: 'plain', size: 10 }],
      absent: [{ path: '/etc/issue', unit: 'files' }],
      secrets: {},
    });
    expect(first?.parameters).toEqual({
      generation: 1,
      manifest: sha256Of(first?.text ?? ''),
      manifest_bytes: first?.text?.length,
      base: {},
      on_drift: 'refuse',
      dry_run: false,
      release: false,
      reason: 'sync',
    });
  });

  test('gives each manifest a new generation; equal content has an equal digest, on every device', async () => {
    await using given = await stage();
    const { desired } = given;
    await desired.device('fw-1');
    await desired.device('fw-2');
    await desired.bundle('base', { '/etc/motd': 'hello' });
    const runs = [await desired.sync(), await desired.sync()];
    const manifests = await Promise.all(
      runs.flatMap(({ tasks }) => tasks.map(({ task }) => manifestOf(desired, task))),
    );
    expect(manifests.map(({ manifest }) => manifest.generation)).toEqual([1, 1, 2, 2]);
    expect(new Set(manifests.map(({ manifest }) => contentDigest(manifest))).size).toBe(1);
    const { current_hash } = await desired.status('fw-1');
    expect(current_hash).toBe(contentDigest(manifests[0]!.manifest));
  });

  test('takes mode, owner and revision of a file from a profile that is known', async () => {
    await using given = await stage();
    const { desired } = given;
    await desired.device('fw-1');
    const files = [{ path: '/etc/frr/frr.conf', unit: 'frr', template: 'hostname x\n' }];
    await desired.ok('PUT', 'bundles/frr', { profile: 'debian', targets: { all: true }, files });
    const { tasks } = await desired.sync();
    const { manifest } = await manifestOf(desired, tasks[0]!.task);
    expect(manifest.files[0]).toMatchObject({ mode: '0640', owner: 'frr', group: 'frr' });
    expect(manifest.profile.id).toBe('debian');
  });

  test('leaves out devices that cannot be rendered, and says why', async () => {
    await using given = await stage();
    const { api, desired } = given;
    for (const name of ['good', 'no-bundle']) await desired.device(name);
    await desired.device('undefined', { labels: { broken: 'yes' } });
    await api.device('no-recipient', { labels: { secret: 'yes' } });
    await desired.device('clash', { labels: { clash: 'yes' } });
    await desired.device('groups', { labels: { site: 'a', tier: 'b' } });
    await desired.variable('psk', 'not to be seen', { secret: true });
    await desired.variable('x', 1, { scope: 'label', key: 'site=a' });
    await desired.variable('x', 2, { scope: 'label', key: 'tier=b' });
    const on = (labels: object) => ({ targets: { labels } });
    const all = ['good', 'undefined', 'no-recipient', 'clash', 'groups'];
    await desired.bundle('base', { '/etc/motd': 'hello' }, { targets: { devices: all } });
    await desired.bundle(
      'broken',
      { '/etc/a': '{{ b }}{{ a }}', '/etc/b': '{{ c.d }}' },
      on({ broken: 'yes' }),
    );
    await desired.bundle('secret', { '/etc/s': '{{ psk }}' }, on({ secret: 'yes' }));
    await desired.bundle('clash', { '/etc/motd': 'other' }, on({ clash: 'yes' }));

    const answer = await desired.sync();
    expect(answer.tasks.map(({ device_name }) => device_name)).toEqual(['good']);
    expect(answer['skipped']).toHaveLength(5);
    const errors = answer['errors'] as Record<string, unknown>[];
    expect(errors.map(({ device_name, code }) => [device_name, code])).toEqual(
      expect.arrayContaining([
        ['undefined', 'not_renderable'],
        ['no-recipient', 'no_recipient'],
        ['clash', 'not_renderable'],
        ['groups', 'not_renderable'],
      ]),
    );
    const of = (name: string) => errors.find(({ device_name }) => device_name === name);
    expect(of('undefined')).toMatchObject({ undefined_variables: ['a', 'b', 'c'] });
    expect(of('clash')?.['conflicts']).toEqual([expect.stringContaining('/etc/motd')]);
    expect(of('groups')?.['conflicts']).toEqual([expect.stringContaining('variable x')]);
  });

  test('that nobody can be sent is refused with all reasons, and makes nothing', async () => {
    await using given = await stage();
    const { api, desired } = given;
    await desired.device('fw-1');
    await desired.bundle('base', { '/etc/motd': '{{ missing }}' });
    const answer = await desired.call('POST', 'sync', { targets: { devices: ['fw-1'] } });
    expect(answer).toMatchObject({ status: 422, body: { code: 'not_renderable' } });
    expect(answer.body['error']).toContain('missing');
    const { total } = await api.store.runs.list(api.admin.organization.id, { page: 1, perPage: 1 });
    expect(total).toBe(0);
    await desired.ok('DELETE', 'bundles/base');
    const other = await desired.call('POST', 'sync', { targets: { devices: ['fw-1'] } });
    expect(other).toMatchObject({ status: 422, body: { code: 'unresolved_targets' } });
  });

  test('carries what was asked for to every task, and the rollout to the run', async () => {
    await using given = await stage();
    const { desired } = given;
    await desired.device('fw-1');
    await desired.bundle('base', { '/etc/motd': 'x' });
    const { run, tasks } = await desired.sync({
      dry_run: true,
      on_drift: 'overwrite',
      confirm_seconds: 300,
      rollout: { batch: '10%' },
      timeout_seconds: 900,
    });
    const { task, parameters } = await desired.parameters(tasks[0]!.task);
    expect(parameters).toMatchObject({ dry_run: true, on_drift: 'overwrite', confirm_seconds: 300 });
    expect(task.timeoutMs).toBe(900_000);
    const shown = await desired.api.call('GET', `/api/v1/runs/${run}`);
    expect(shown.body['rollout']).toEqual({ batch: '10%' });
    expect(JSON.parse(String(shown.body['payload']))).toMatchObject({ dry_run: true, reason: 'sync' });
  });

  test('that is repeated under its key is answered as before, and makes nothing', async () => {
    await using given = await stage();
    const { api, desired } = given;
    await desired.device('fw-1');
    await desired.device('fw-2', { labels: { broken: 'yes' } });
    await desired.bundle('base', { '/etc/motd': 'x' });
    await desired.bundle('broken', { '/etc/a': '{{ a }}' }, { targets: { labels: { broken: 'yes' } } });
    const post = (body: object) =>
      api.call('POST', '/api/v1/organizations/default/sync', {
        body,
        headers: { 'idempotency-key': 'once' },
      });
    const first = await post({ targets: { all: true } });
    const second = await post({ targets: { all: true } });
    expect(second.body).toEqual(first.body);
    expect(second.body['errors']).toHaveLength(1);
    expect(second.headers['idempotency-replayed']).toBe('true');
    expect((await post({ targets: { devices: ['fw-1'] } })).body['code']).toBe('idempotency_mismatch');
    const manifests = await api.store.manifests.newest([
      String(first.body['tasks'] && (first.body['tasks'] as { device_uuid: string }[])[0]?.device_uuid),
    ]);
    expect([...manifests.values()].map(({ generation }) => generation)).toEqual([1]);
  });

  test.each(['SYNC', 'PULL', 'BACKUP'])('%s is no plain run: the refusal names the route', async (type) => {
    await using given = await stage();
    const { desired } = given;
    await desired.device('fw-1');
    const answer = await desired.call('POST', 'tasks', { type, targets: { devices: ['fw-1'] } });
    expect(answer.status).toBe(422);
    expect(answer.body['error']).toMatch(
      /POST \/api\/v1\/organizations\/\{organization\}\/(sync|pull|backups)$/,
    );
  });
});

describe('a plan', () => {
  test('of a device that was never pulled says so, and stores nothing', async () => {
    await using given = await stage();
    const { api, desired } = given;
    const { id } = await desired.device('fw-1');
    await desired.variable('psk', 'the value', { secret: true });
    await desired.bundle('base', { '/etc/motd': 'key {{ psk }}\n', '/etc/issue': null });
    const plan = await desired.ok('POST', 'sync/plan', { targets: { all: true } });
    expect(plan).toMatchObject({ changed: 1, unchanged: 0, failed: 0 });
    const [device] = plan['devices'] as Record<string, unknown>[];
    expect(device).toMatchObject({
      device_name: 'fw-1',
      profile: 'test',
      changes: 2,
      pulled_at: null,
      error: null,
    });
    expect(device?.['files']).toMatchObject([
      { path: '/etc/issue', change: 'unknown', diff: null },
      { path: '/etc/motd', change: 'unknown', diff: expect.stringContaining('+key <secret>') },
    ]);
    expect((await api.store.manifests.newest([id])).size).toBe(0);
  });

  test('tells every error, and counts', async () => {
    await using given = await stage();
    const { desired } = given;
    await desired.device('fw-1');
    await desired.bundle('base', { '/etc/motd': '{{ missing }}' });
    const plan = await desired.ok('POST', 'sync/plan', { targets: { all: true }, diff: false });
    expect(plan).toMatchObject({
      failed: 1,
      devices: [{ content: null, error: { code: 'not_renderable', undefined_variables: ['missing'] } }],
    });
  });
});

test('the status of a device tells no bundle from one that cannot be rendered', async () => {
  await using given = await stage();
  const { desired } = given;
  await desired.device('fw-1');
  expect(await desired.status('fw-1')).toMatchObject({
    current_hash: null,
    desired_problem: 'no_bundle',
    error: null,
  });
  await desired.bundle('base', { '/etc/motd': '{{ nobody }}' });
  expect(await desired.status('fw-1')).toMatchObject({
    current_hash: null,
    desired_problem: 'not_renderable',
    error: expect.stringContaining('nobody'),
  });
  await desired.bundle('base', { '/etc/motd': 'text' });
  expect(await desired.status('fw-1')).toMatchObject({ desired_problem: null, error: null });
});

describe('a run of SYNC that is tried again', () => {
  test('is rendered anew, asked for as then, and linked; what cannot be rendered now is left out', async () => {
    await using given = await stage();
    const { desired, api } = given;
    for (const name of ['fw-1', 'fw-2', 'fw-3']) await desired.device(name);
    await desired.bundle('base', { '/etc/motd': 'old {{ owner }}\n' });
    await desired.variable('owner', 'us');
    const { run, tasks } = await desired.sync({ on_drift: 'overwrite', confirm_seconds: 77 });
    for (const { task } of tasks.slice(0, 2)) await api.call('POST', `/api/v1/tasks/${task}/cancel`);
    await desired.bundle('base', { '/etc/motd': 'new {{ owner }}\n' });
    await desired.bundle('more', { '/etc/motd': 'another\n' }, { targets: { devices: ['fw-2'] } });

    const answer = await api.call('POST', `/api/v1/runs/${run}/retry`);
    expect(answer).toMatchObject({
      status: 200,
      body: {
        type: 'SYNC',
        tasks: [{ device_name: 'fw-1' }],
        skipped: [{ device_name: 'fw-2', reason: expect.stringContaining('/etc/motd') }],
      },
    });
    const [{ task }] = answer.body['tasks'] as [{ task: string }];
    const made = await manifestOf(desired, task);
    expect(made.files).toEqual([['/etc/motd', 'new us\n']]);
    expect(made.manifest.generation).toBe(2);
    expect(made.parameters).toMatchObject({ on_drift: 'overwrite', confirm_seconds: 77, dry_run: false });
    expect((await api.call('GET', `/api/v1/tasks/${task}`)).body).toMatchObject({ retry_of: tasks[0]?.task });
    expect((await api.call('GET', `/api/v1/runs/${String(answer.body['run'])}`)).body).toMatchObject({
      trigger: 'retry',
      retry_of: run,
    });
  });

  test('is refused for a restore, with the way to go', async () => {
    await using given = await stage();
    const { desired, api } = given;
    await desired.device('fw-1');
    const restored = (await desired.ok('POST', 'restores', restoreOf('fw-1'))) as {
      run: string;
      tasks: { task: string }[];
    };
    await api.call('POST', `/api/v1/tasks/${restored.tasks[0]?.task ?? ''}/cancel`);
    const answer = await api.call('POST', `/api/v1/runs/${restored.run}/retry`);
    expect([answer.status, answer.text]).toEqual([409, expect.stringContaining('muster backup restore')]);
  });
});
