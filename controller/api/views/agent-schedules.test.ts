import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiUnderTest } from '../../../test/harness/api.ts';
import { silentModel } from '../../../test/harness/silent-model.ts';

const root = '/api/tasks/agent-schedules';
const wish = (name: string, over: object = {}) => ({
  name,
  prompt: 'Review all backups.',
  cron_expression: '0 9 * * 1',
  timezone: 'America/Chicago',
  ...over,
});

let api: ApiUnderTest;
beforeAll(async () => {
  api = await ApiUnderTest.start({}, undefined, { assistant: silentModel });
  await api.device('fw-1');
});
afterAll(() => api[Symbol.asyncDispose]());

const made = async (body: object): Promise<string> => {
  const answer = await api.call('POST', root, { body });
  expect(answer.status, answer.text).toBe(201);
  return String(answer.body['id']);
};

test('an agent task has its prompt at the top, an hour, and the same tasks behind both paths', async () => {
  const id = await made(wish('audit', { allow_task_types: ['PULL'] }));
  const { body } = await api.call('GET', `${root}/${id}`);
  expect(body).toMatchObject({
    prompt: 'Review all backups.',
    allow_task_types: ['PULL'],
    timeout_seconds: 3600,
    enabled: true,
    executions: [],
  });
  expect((await api.call('GET', `/api/tasks/schedules/${id}`)).body).toMatchObject({
    task_type: 'agent_task',
    parameters: { prompt: 'Review all backups.', allow_task_types: ['PULL'] },
  });
  const other = await api.call('POST', '/api/tasks/schedules', {
    body: { ...wish('other'), prompt: undefined, task_type: 'agent_task', parameters: { prompt: 'Look.' } },
  });
  expect((await api.call('GET', `${root}/${String(other.body['id'])}`)).body).toMatchObject({
    prompt: 'Look.',
  });
});

test('what is absent stays when it is changed, also of the prompt’s bounds; an answer may be sent back', async () => {
  const id = await made(wish('changed', { allow_task_types: ['PING'], timeout_seconds: 600 }));
  const changed = await api.call('PUT', `${root}/${id}`, { body: { prompt: 'Look closer.' } });
  expect(changed).toMatchObject({
    status: 200,
    body: { prompt: 'Look closer.', allow_task_types: ['PING'], timeout_seconds: 600 },
  });
  const read = (await api.call('GET', `${root}/${id}`)).body;
  const back = await api.call('PUT', `${root}/${id}`, { body: { ...read, max_steps: 5 } });
  expect(back).toMatchObject({ status: 200, body: { prompt: 'Look closer.', max_steps: 5 } });
  const toggled = await api.call('POST', `${root}/${id}/toggle`, { body: { enabled: false } });
  expect(toggled).toMatchObject({ status: 200, body: { enabled: false, next_run_at: null } });
});

test('its list has no other tasks, and others are not found by its path', async () => {
  await made(wish('listed'));
  const check = await api.call('POST', '/api/tasks/schedules', {
    body: {
      ...wish('check'),
      prompt: undefined,
      task_type: 'health_check',
      parameters: { targets: { all: true } },
    },
  });
  const { tasks } = (await api.call('GET', root)).body as { tasks: { name: string }[] };
  expect(tasks.map(({ name }) => name)).toContain('listed');
  expect(tasks.map(({ name }) => name)).not.toContain('check');
  expect((await api.call('GET', `${root}/${String(check.body['id'])}`)).status).toBe(404);
});

test('a run of it is an execution without devices, with the reason when it fails', async () => {
  const id = await made(wish('run'));
  const run = await api.call('POST', `${root}/${id}/run`);
  expect(run).toMatchObject({ status: 202, body: { status: 'running', trigger: 'manual', device_count: 0 } });
  const runId = String(run.body['id']);
  const end = { status: 'failed', errorCode: 'model_unavailable', errorMessage: 'no answer' } as const;
  await api.store.assistant.end(runId, end, Date.now());
  expect((await api.call('GET', `${root}/${id}/executions`)).body).toMatchObject({
    executions: [{ id: runId, status: 'failed', error_message: 'no answer', output: null }],
  });
});

test('without a model it is refused, and says so', async () => {
  await using bare = await ApiUnderTest.start();
  const answer = await bare.call('POST', root, { body: wish('audit') });
  expect(answer).toMatchObject({
    status: 409,
    body: {
      error: { code: 'ASSISTANT_NOT_CONFIGURED', message: expect.stringMatching(/No model/) as string },
    },
  });
});
