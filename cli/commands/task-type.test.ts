import { beforeEach, expect, test } from 'vitest';
import type { TaskTypeInfo } from '../../shared/api/task-types.ts';
import { netdiagManifest } from '../../test/harness/plugin-archive.ts';
import { FakeController } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';
import { sampleTask } from '../testing/samples.ts';

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  controller.on('GET /api/v1/task-types', { body: { items: [ping, traceroute] } });
  return () => controller.close();
});
const muster = (...args: string[]) => runMuster(args, { url: controller.url });

const traits = {
  supported: true,
  lane: 'script',
  expires_in_seconds: 86_400,
  timeout_seconds: 90,
  can_stop: true,
  rerun: false,
  needs_idle: false,
  disruptive: false,
} as const;
// As an older controller answers, which knows no plugins.
const ping: TaskTypeInfo = { ...traits, name: 'PING', summary: 'Pings', parameters: null, result: null };
const { summary, parameters, result } = netdiagManifest().task_types.TRACEROUTE;
const traceroute: TaskTypeInfo = {
  ...traits,
  ...{ name: 'NETDIAG.TRACEROUTE', plugin: 'netdiag', plugin_version: '1.0.0', summary, parameters, result },
};
const home = '/api/v1/organizations/default';
const answer = {
  ...{ run: 'run', type: 'NETDIAG.TRACEROUTE', organization: 'default', scheduled_at: null, total: 1 },
  tasks: [{ task: 'aB3dE6gH', device_uuid: 'id', device_name: 'fw-1', status: 'PENDING', expires_at: null }],
  skipped: [],
};

test('task types are listed with the plugin they are of', async () => {
  const { stdout } = await muster('task-type', 'list');
  expect(stdout).toMatch(/NETDIAG\.TRACEROUTE .*netdiag 1\.0\.0 .*Traces the route to a host/);
  expect(stdout).toMatch(/PING .*Pings/);
  expect((await muster('task-type', 'list', '-q')).stdout).toBe('PING\nNETDIAG.TRACEROUTE\n');
  expect(controller.seen[0]?.query).toEqual({ organization: 'default' });
});

test('one is described with its parameters, in any case of its name', async () => {
  const { stdout, exitCode } = await muster('task-type', 'describe', 'netdiag.traceroute');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/Runs at most: +1m 30s/);
  expect(stdout).toMatch(/host .*string .*yes .*where to/);
  expect(stdout).toMatch(/count .*integer 1 to 10 .*3 .*probes per hop/);
  expect(JSON.parse((await muster('task-type', 'describe', 'PING', '--json')).stdout)).toEqual(ping);
});

test('one that is not there is told', async () => {
  expect(await muster('task-type', 'describe', 'NETDIAG.MTR')).toMatchObject({
    exitCode: 5,
    stderr: expect.stringContaining('There is no task type NETDIAG.MTR in this organization'),
  });
  expect(await muster('task-type', 'describe', 'PNIG')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('or PLUGIN.TYPE of a plugin'),
  });
});

test('run task sends values of the types that the schema says', async () => {
  controller.on(`POST ${home}/tasks`, { body: answer });
  const told = await muster(
    ...['run', 'task', 'netdiag.traceroute', '--device', 'fw-1', '--task-timeout', '20s'],
    ...['--param', 'host=1', '--param', 'count=3', '--canary', '1', '--retries', '2'],
  );
  expect(told).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('aB3dE6gH') });
  expect(controller.seen.at(-1)?.body).toMatchObject({
    type: 'NETDIAG.TRACEROUTE',
    payload: { host: '1', count: 3 },
    targets: { devices: ['fw-1'] },
    timeout_seconds: 20,
    rollout: { canary: 1 },
    max_retries: 2,
  });
});

test('run task takes all parameters as JSON, and asks nobody for the schema', async () => {
  controller.on(`POST ${home}/tasks`, { body: answer });
  await muster(...['run', 'task', 'NETDIAG.TRACEROUTE', '--all', '--parameters', '{"host":"a"}']);
  expect(controller.seen.map(({ body }) => body)).toMatchObject([{ payload: { host: 'a' } }]);
});

test.each([
  [['--param', 'count=x'], '--param count=x: expected integer'],
  [['--parameters', '[]'], 'expected a JSON object'],
  [['--parameters', '{'], '--parameters is not JSON'],
  [['--parameters', '@/nonexistent'], 'cannot read /nonexistent'],
  [['--parameters', '{}', '--param', 'host=a'], 'not both'],
])('run task %j is refused before anything is run', async (args, why) => {
  expect(await muster('run', 'task', 'NETDIAG.TRACEROUTE', '--all', ...args)).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining(why),
  });
  expect(controller.seen.filter(({ method }) => method === 'POST')).toEqual([]);
});

test('run task of a plugin with --schedule says what a schedule runs', async () => {
  controller.on(`POST ${home}/scheduled-tasks`, { status: 201, body: {} });
  await muster('run', 'task', 'NETDIAG.TRACEROUTE', '--all', '--param', 'host=a', '--schedule', 'nightly');
  expect(controller.seen.at(-1)?.body).toMatchObject({
    kind: 'RUN',
    request: { type: 'NETDIAG.TRACEROUTE', payload: { host: 'a' } },
  });
});

test('tasks and runs of a plugin are searched by their type', async () => {
  for (const what of ['tasks', 'runs']) {
    controller.on(`GET /api/v1/${what}`, { body: { items: [], total: 0, page: 1, per_page: 30, pages: 1 } });
  }
  for (const what of ['task', 'run']) await muster(what, 'list', '--type', 'netdiag.traceroute');
  expect(controller.seen.map(({ query }) => query['type'])).toEqual([
    'NETDIAG.TRACEROUTE',
    'NETDIAG.TRACEROUTE',
  ]);
});

test('a task of a type that only a newer controller knows is listed', async () => {
  const body = {
    items: [sampleTask({ type: 'TELEPORT' as 'PING' })],
    total: 1,
    page: 1,
    per_page: 30,
    pages: 1,
  };
  controller.on('GET /api/v1/tasks', { body });
  expect((await muster('task', 'list')).stdout).toContain('TELEPORT');
});
