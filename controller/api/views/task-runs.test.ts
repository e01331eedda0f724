import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiDevice } from '../../../test/harness/api-device.ts';
import { ApiUnderTest } from '../../../test/harness/api.ts';
import { keepNetdiag } from '../../../test/harness/plugin-archive.ts';
import { silentModel } from '../../../test/harness/silent-model.ts';
import { failure } from '../../../test/store-conformance/world.ts';

let api: ApiUnderTest;
let device: ApiDevice;
beforeAll(async () => {
  api = await ApiUnderTest.start({}, undefined, { assistant: silentModel });
  device = await ApiDevice.make(api, 'fw-1');
});
afterAll(() => api[Symbol.asyncDispose]());

const submitted = async (): Promise<string> => (await api.submit(['fw-1'])).tasks[0] ?? '';
const describeRun = async (id: string) => (await api.call('GET', `/api/task/run/${id}`)).body;

describe('a run', () => {
  test('is one task, by id or code, and waits', async () => {
    const code = await submitted();
    const run = await describeRun(code);
    expect(run).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      taskName: 'device.ping',
      state: 'pending',
      nodeId: device.id,
      nodeHostname: 'fw-1',
      createdAt: expect.stringMatching(/Z$/) as string,
      startedAt: null,
      completedAt: null,
      error: null,
    });
    expect(await describeRun(String(run['id']))).toEqual(run);
    const { id, taskName, state, createdAt } = run;
    const recent = (await api.call('GET', '/api/task/runs/recent')).body as unknown as object[];
    expect(recent[0]).toEqual({ id, taskName, state, createdAt });
  });

  test('of a plugin is named by its plugin and type', async () => {
    await keepNetdiag(api.store, api.admin.organization.id);
    const over = { type: 'NETDIAG.TRACEROUTE', payload: { host: 'a' } };
    const [code = ''] = (await api.submit(['fw-1'], over)).tasks;
    expect((await describeRun(code))['taskName']).toBe('plugin.netdiag.traceroute');
  });

  test('runs, and its log is read on from a cursor, also by level', async () => {
    const code = await device.task('PING');
    expect(await describeRun(code)).toMatchObject({ state: 'running', completedAt: null });
    const task = await api.store.tasks.get(api.admin.organization.id, code);
    const line = { taskId: task?.id ?? '', at: Date.now() };
    await api.store.logs.append([
      { ...line, line: 1, stream: 'stdout', text: 'out' },
      { ...line, line: 2, stream: 'stderr', text: 'err' },
      { ...line, line: 3, stream: 'agent', text: 'told' },
      { ...line, line: 4, stream: 'gap', text: 'lost' },
    ]);
    const logs = async (query: string) => (await api.call('GET', `/api/task/run/${code}/logs${query}`)).body;
    expect(await logs('')).toMatchObject([
      { level: 'info', message: 'out' },
      { level: 'warn', message: 'err' },
      { level: 'info', message: 'told' },
      { level: 'warn', message: 'lost' },
    ]);
    expect(await logs('?after=1&limit=1')).toMatchObject([{ message: 'err', cursor: 2 }]);
    expect(await logs('?levels=warn,error')).toMatchObject([{ message: 'err' }, { message: 'lost' }]);
    expect(await logs('?levels=warn&limit=1')).toMatchObject([{ message: 'err' }]);
    expect((await api.call('GET', `/api/task/run/${code}/logs?levels=loud`)).status).toBe(400);
  });

  test('is canceled while it waits, asked to stop while it runs, and not when it is over', async () => {
    const waiting = await submitted();
    const cancel = (id: string) => api.call('POST', `/api/task/run/${id}/cancel`);
    expect(await cancel(waiting)).toMatchObject({
      status: 200,
      body: { status: 'canceled', state: 'canceled' },
    });
    expect(await describeRun(waiting)).toMatchObject({ state: 'canceled' });

    const running = await device.task('PING');
    expect(await cancel(running)).toMatchObject({
      status: 200,
      body: { status: 'canceled', state: 'running' },
    });
    const task = await api.store.tasks.get(api.admin.organization.id, running);
    expect(task?.cancelRequestedAt).not.toBeNull();

    await api.store.tasks.finish([failure({ deviceId: device.id, code: running })], Date.now());
    expect(await describeRun(running)).toMatchObject({ state: 'failed', error: 'The script ended with 3' });
    expect(await cancel(running)).toMatchObject({ status: 409, body: { code: 'not_cancellable' } });
    expect((await cancel('nobody')).status).toBe(404);
  });

  test('of a task that nobody picked up has failed, and says so', async () => {
    const code = await submitted();
    await api.store.tasks.expire(Date.now() + 86_400_000, 100, { runs: [], onlineDevices: [] });
    expect(await describeRun(code)).toMatchObject({
      state: 'failed',
      error: expect.stringMatching(/^The device did not pick it up before .*Z$/) as string,
    });
  });

  test('of a prompt has no node, and is found and canceled like the others', async () => {
    const made = await api.call('POST', '/api/tasks/agent-schedules', {
      body: {
        name: 'Audit',
        prompt: 'look around',
        cron_expression: '0 9 * * 1',
        timezone: 'America/Chicago',
      },
    });
    const { body } = await api.call('POST', `/api/tasks/agent-schedules/${String(made.body['id'])}/run`);
    const id = String(body['id']);
    expect(await describeRun(id)).toMatchObject({
      taskName: 'assistant.run',
      state: 'running',
      nodeId: null,
      nodeHostname: null,
    });
    const recent = (await api.call('GET', '/api/task/runs/recent')).body as unknown as object[];
    expect(recent[0]).toMatchObject({ id, taskName: 'assistant.run', state: 'running' });
    const content = (text: string, more = {}) => JSON.stringify({ text, ...more });
    const toolCalls = [{ id: '1', name: 'list_devices', arguments: '{}' }];
    await api.store.assistant.append(
      id,
      0,
      [
        { at: 1, role: 'user', content: content('look around') },
        { at: 2, role: 'assistant', content: content('I look.', { toolCalls }) },
        { at: 3, role: 'tool', content: content('fw-1', { toolCallId: '1' }) },
      ],
      { steps: 1, tokensIn: 1, tokensOut: 1, mistakes: 0 },
    );
    expect((await api.call('GET', `/api/task/run/${id}/logs`)).body).toMatchObject([
      { level: 'info', message: 'look around' },
      { level: 'info', message: 'I look.\nasks for list_devices {}' },
      { level: 'debug', message: 'fw-1', cursor: 3 },
    ]);
    expect((await api.call('POST', `/api/task/run/${id}/cancel`)).body).toEqual({
      status: 'canceled',
      state: 'canceled',
    });
  });
});

test('the newest hundred runs are recent, whatever they are', async () => {
  await using many = await ApiUnderTest.start({}, undefined, { assistant: silentModel });
  for (let index = 0; index < 60; index += 1) await many.device(`fw-${index}`);
  const first = await many.submit(['fw-.*']);
  await many.submit(['fw-.*']);
  const recent = (await many.call('GET', '/api/task/runs/recent')).body as unknown as { id: string }[];
  expect(recent).toHaveLength(100);
  expect(new Set(recent.map(({ id }) => id)).size).toBe(100);
  expect(first.tasks).toHaveLength(60);
});

describe('a question', () => {
  const ask = () =>
    api.core.questions.ask({
      organizationId: api.admin.organization.id,
      runId: '0197a3c0-5b1e-4c55-9d0e-111111111111',
      taskId: null,
      prompt: 'Disk contains data. Proceed?',
      options: ['yes', 'no'],
      safe: 'no',
      deadlineMs: 600_000,
    });
  const answer = (id: string, body: object) => api.call('POST', `/api/task/question/${id}/answer`, { body });
  const pending = async () =>
    (await api.call('GET', '/api/task/questions/pending')).body as unknown as { id: string }[];

  test('waits until a person answers, once, with one of its options', async () => {
    const { id } = await ask();
    expect((await pending()).find((one) => one.id === id)).toMatchObject({
      runId: '0197a3c0-5b1e-4c55-9d0e-111111111111',
      prompt: 'Disk contains data. Proceed?',
      options: ['yes', 'no'],
    });
    expect((await answer(id, { answer: 'maybe' })).status).toBe(400);
    expect((await answer(id, {})).status).toBe(400);
    expect(await answer(id, { answer: 'yes' })).toMatchObject({ status: 200, body: { status: 'answered' } });
    expect((await answer(id, { answer: 'yes' })).status).toBe(409);
    expect((await answer('nobody', { answer: 'yes' })).status).toBe(404);
    expect((await pending()).map((one) => one.id)).not.toContain(id);
  });
});
