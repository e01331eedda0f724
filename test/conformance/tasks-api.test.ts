import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { NestedErrorBody } from '../../shared/api/task-schedules-view.ts';
import { generateAgeKeys } from '../../shared/node/age.ts';
import { Cluster } from '../harness/cluster.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';
import { type DocumentedAnswer, documentedAnswer, expectShape } from './documented-answer.ts';
import { examplesIn, readPage } from './examples.ts';
import { readAnswer, runExample, tellStatus } from './run-example.ts';

const page = 'tasks-api';
const root = '/api/tasks/schedules';
const documentedDevices = ['f47ac10b-58cc-4372-a567-0e02b2c3d479', 'e36bd20a-47bb-3261-9456-1d13a1b2c368'];

let cluster: Cluster;
let scratch: { path: string } & Disposable;
let devices: string[];
beforeAll(async () => {
  scratch = temporaryFolder('conformance');
  const config = join(scratch.path, 'controller.json');
  // Agent tasks are made only when a model is configured; none of the examples asks it.
  writeFileSync(config, JSON.stringify({ assistant: { base_url: 'http://127.0.0.1:9/v1', model: 'none' } }));
  const names = ['dc1-core-1', 'dc1-core-2'];
  cluster = await Cluster.create('conformance', { agents: names, startArguments: ['--config', config] });
  const recipients = [await generateAgeKeys(), await generateAgeKeys()].map(({ recipient }) => recipient);
  await cluster.controller.call('PUT', '/api/v1/organizations/default/backup-config', { recipients });
  devices = [];
  for (const name of names) {
    devices.push(String((await cluster.controller.call('GET', cluster.devicePath(name)))['uuid']));
  }
  tellStatus(scratch.path);
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

/** Names are unique: each language finds none of the others' tasks. */
beforeEach(async () => {
  const { body } = await cluster.controller.api('GET', root);
  for (const { id } of body['tasks'] as { id: string }[]) {
    await cluster.controller.call('DELETE', `${root}/${id}`);
  }
});

/** Nothing but host, token and ids is replaced. */
function replaced(text: string, task = ''): string {
  return text
    .replaceAll('https://example.net', cluster.controller.url)
    .replaceAll('eyJhbGciOiJIUzI1NiIs...', cluster.controller.adminToken)
    .replaceAll('a9b8c7d6-...', task)
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) => {
      const index = documentedDevices.indexOf(id);
      return devices[index] ?? id;
    });
}

/** Runs the curl example of a heading and holds its answer against what is documented below it. */
async function curl(title: string, task = ''): Promise<DocumentedAnswer & { body: Record<string, unknown> }> {
  const example = examplesIn(page, 'bash').find((one) => one.title === title);
  const answer = readAnswer(await runExample(scratch.path, 'bash', replaced(example?.text ?? '', task)));
  const documented = documentedAnswer(example?.text ?? '');
  if (documented) {
    expect(answer.status, JSON.stringify(answer.body)).toBe(documented.status);
    expectShape(answer.body, documented.body, title);
  }
  return answer as DocumentedAnswer & { body: Record<string, unknown> };
}

const execution = (id: string) => cluster.controller.call('GET', `/api/tasks/executions/${id}`);

/** Waits until devices have done it, and returns the execution. */
const ended = (id: string) =>
  until(
    `execution ${id} has ended`,
    async () => {
      const found = await execution(id);
      return found['status'] === 'running' ? undefined : found;
    },
    { deadlineMs: 60_000, last: () => execution(id) },
  );

test('the curl examples answer as documented, and the devices do what was scheduled', async () => {
  const created = await curl('Create a Scheduled Backup Task');
  const id = String(created.body['id']);
  const run = await curl('Run a Task Immediately', id);
  expect(run.body['task_id']).toBe(id);
  expect(await ended(String(run.body['id']))).toMatchObject({
    status: 'completed',
    results: devices.map((device) => ({ device_id: device, status: 'completed' })).toSorted(byName),
  });
  const listed = await curl('List Scheduled Tasks');
  expect(listed.body).toMatchObject({ tasks: [{ id }], total: 1 });

  const toggled = await curl('Toggle Task Enabled/Disabled', id);
  expect(toggled).toMatchObject({ status: 200, body: { id, enabled: false, next_run_at: null } });
  const agent = await curl('Create an Agent Task Schedule');
  expect(agent).toMatchObject({
    status: 201,
    body: { name: 'Weekly Config Audit', timezone: 'America/Chicago', prompt: expect.any(String) as string },
  });
  const details = await cluster.controller.call('GET', `${root}/${id}`);
  expect(details).toMatchObject({ executions: [{ id: run.body['id'], status: 'completed' }] });
});

/** Results come by the names of devices, which were joined in that order. */
const byName = (left: { device_id: string }, right: { device_id: string }): number =>
  devices.indexOf(left.device_id) - devices.indexOf(right.device_id);

test.each(['python', 'typescript'] as const)(
  'the %s examples run as one program, and what they print is true',
  async (language) => {
    const text = examplesIn(page, language)
      .map((example) => example.text)
      .join('\n');
    const lines = (await runExample(scratch.path, language, replaced(text))).trim().split('\n');
    const [, id = ''] = /^Created task: ([0-9a-f-]{36})$/.exec(lines[0] ?? '') ?? [];
    const task = await cluster.controller.call('GET', `${root}/${id}`);
    expect(task).toMatchObject({
      name: 'Nightly DC1 Core Backup',
      description: 'Backup running configs for all DC1 core routers',
      task_type: 'backup',
      cron_expression: '0 2 * * *',
      timezone: 'America/New_York',
      parameters: { device_ids: devices, capture_running: true, capture_startup: true },
      max_retries: 3,
      retry_delay_seconds: 60,
    });
    const next = String(task['next_run_at']);
    expect(lines.slice(1, 3)).toEqual([
      `Next run: ${next}`,
      `Nightly DC1 Core Backup (backup) - enabled - next: ${next}`,
    ]);
    const [, started = ''] = /^Execution started: ([0-9a-f-]{36})$/.exec(lines[3] ?? '') ?? [];
    expect(await ended(started)).toMatchObject({ task_id: id, trigger: 'manual', status: 'completed' });
    const [, agent = ''] = /^Agent task created: ([0-9a-f-]{36})$/.exec(lines[4] ?? '') ?? [];
    expect(await cluster.controller.call('GET', `/api/tasks/agent-schedules/${agent}`)).toMatchObject({
      name: 'Weekly Config Audit',
    });
    expect(lines).toHaveLength(5);
  },
);

test('every endpoint of the table is there, for both kinds of schedules', async () => {
  const document = await cluster.controller.call('GET', '/api/openapi.json');
  const paths = document['paths'] as Record<string, object>;
  const rows = [...readPage(page).matchAll(/^\| (GET|POST|PUT|DELETE) \| (\S+) \|$/gm)];
  expect(rows).toHaveLength(7);
  for (const [, method = '', path = ''] of rows) {
    for (const one of [path, path.replace('/schedules', '/agent-schedules')]) {
      expect(Object.keys(paths[one.replace(':id', '{task}')] ?? {}), `${method} ${one}`).toContain(
        method.toLowerCase(),
      );
    }
  }
});

test.each([
  ['a cron expression with seconds', { cron_expression: '0 0 2 * * *' }, 400, /seconds/],
  ['a cron expression that is none', { cron_expression: 'every night' }, 400, /cron/],
  ['an abbreviation as time zone', { timezone: 'EST' }, 400, /abbreviation/],
  ['a time zone that does not exist', { timezone: 'America/Gotham' }, 400, /time zone/],
  ['a device that does not exist', { parameters: { device_ids: documentedDevices } }, 422, /No device has/],
])('%s is refused with a message of its own', async (_what, over, status, message) => {
  const answer = await cluster.controller.api('POST', root, { ...wish(), ...over });
  expect(answer.status).toBe(status);
  expect(NestedErrorBody.parse(answer.body).error).toMatchObject({
    status,
    message: expect.stringMatching(message) as string,
  });
});

test('a name that is taken is 409, what does not exist 404, and a wrong token 401', async () => {
  await cluster.controller.call('POST', root, wish());
  expect((await cluster.controller.api('POST', root, wish())).status).toBe(409);
  expect((await cluster.controller.api('GET', `${root}/${documentedDevices[0]}`)).status).toBe(404);
  const stranger = await fetch(`${cluster.controller.url}${root}`, {
    headers: { authorization: 'Bearer eyJhbGciOiJIUzI1NiIs' },
  });
  expect(stranger.status).toBe(401);
  expect(NestedErrorBody.parse(await stranger.json()).error.code).toBe('UNAUTHORIZED');
});

const wish = () => ({
  name: 'Checks',
  task_type: 'health_check',
  cron_expression: '0 2 * * *',
  timezone: 'America/New_York',
  parameters: { device_ids: devices },
});
