import { afterEach, describe, expect, test } from 'vitest';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { silentModel } from '../../test/harness/silent-model.ts';
import { until } from '../../test/harness/until.ts';
import type { ChatAnswer, ChatModel } from '../assistant/chat-model.ts';

const path = '/api/v1/organizations/default/agent-tasks';
const answer = (text: string, toolCalls: ChatAnswer['toolCalls'] = []): ChatAnswer => ({
  text,
  toolCalls,
  tokensIn: 1,
  tokensOut: 1,
  isCut: false,
});

let api: ApiUnderTest;
afterEach(() => api[Symbol.asyncDispose]());

async function start(ask?: ChatModel['ask']): Promise<void> {
  const model = ask && { ...silentModel, model: { ask } };
  api = await ApiUnderTest.start({}, undefined, model ? { assistant: model } : {});
  api.run();
}

const describeRun = async (run: unknown) => (await api.call('GET', `/api/v1/runs/${run}`)).body;
const list = async (query: string) => {
  const { body } = await api.call('GET', `/api/v1/runs?${query}`);
  return (body['items'] as { id: string; status: string }[]).map(({ id, status }) => ({ id, status }));
};

test('without a model the request is refused in words', async () => {
  await start();
  const { status, body } = await api.call('POST', path, { body: { prompt: 'Hello?' } });
  expect({ status, code: body['code'] }).toEqual({ status: 409, code: 'assistant_not_configured' });
  expect(body['error']).toMatch(/No model is configured/);
});

describe('an agent task', () => {
  test('is a run that is listed, described and read through', async () => {
    const gate = Promise.withResolvers<void>();
    await start(async (messages) => {
      await gate.promise;
      return messages.length > 2
        ? answer('Nothing is there.')
        : answer('', [{ id: 'c', name: 'list_devices', arguments: '{}' }]);
    });
    const made = await api.call('POST', path, { body: { prompt: 'What is there?' } });
    expect(made).toMatchObject({ status: 200, body: { type: 'AGENT_TASK', total: 0, tasks: [] } });
    const { run } = made.body as { run: string };
    expect(await list('status=IN_PROGRESS')).toEqual([{ id: run, status: 'IN_PROGRESS' }]);
    expect(await list('status=COMPLETED')).toEqual([]);
    gate.resolve();
    await until('it has ended', async () => (await describeRun(run))['completed_at'] !== null);
    expect(await describeRun(run)).toMatchObject({
      type: 'AGENT_TASK',
      status: 'COMPLETED',
      agent_task: { status: 'completed', answer: 'Nothing is there.', steps: 2, tokens_in: 2, proposals: [] },
    });
    expect(await list('type=AGENT_TASK&status=COMPLETED')).toEqual([{ id: run, status: 'COMPLETED' }]);
    for (const status of ['IN_PROGRESS', 'FAILED', 'CANCELLED', 'STOPPED']) {
      expect(await list(`status=${status}`)).toEqual([]);
    }
    const first = await api.call('GET', `/api/v1/runs/${run}/transcript?limit=3`);
    expect(first.body).toMatchObject({
      next: 3,
      complete: false,
      items: [
        { seq: 1, role: 'system' },
        { seq: 2, role: 'user', text: 'What is there?' },
        { seq: 3, role: 'assistant', tool_calls: [{ name: 'list_devices', arguments: '{}' }] },
      ],
    });
    const rest = await api.call('GET', `/api/v1/runs/${run}/transcript?after=3`);
    expect(rest.body).toMatchObject({
      next: 5,
      complete: true,
      items: [
        { role: 'tool', tool_call_id: 'c', text: expect.stringContaining('<data>') },
        { role: 'assistant', text: 'Nothing is there.' },
      ],
    });
  });

  test('is made once for one key', async () => {
    await start(async () => answer('Here.'));
    const request = { body: { prompt: 'Hello?' }, headers: { 'idempotency-key': 'once' } };
    const [one, two] = [await api.call('POST', path, request), await api.call('POST', path, request)];
    expect(two).toMatchObject({ headers: { 'idempotency-replayed': 'true' }, body: one.body });
    expect(await list('type=AGENT_TASK')).toHaveLength(1);
  });

  test('is cancelled as every run', async () => {
    await start(silentModel.model.ask);
    const { body } = await api.call('POST', path, { body: { prompt: 'Hello?' } });
    const cancelled = await api.call('POST', `/api/v1/runs/${body['run']}/cancel`, { body: {} });
    expect(cancelled.body).toMatchObject({ cancelled: 1, still_running: 0 });
    expect(await list('status=CANCELLED')).toEqual([{ id: body['run'], status: 'CANCELLED' }]);
  });

  test('beyond the most that may be open is refused for now', async () => {
    await start(silentModel.model.ask);
    for (let index = 0; index < 50; index += 1) {
      expect((await api.call('POST', path, { body: { prompt: `${index}` } })).status).toBe(200);
    }
    const { status, body } = await api.call('POST', path, { body: { prompt: 'one more' } });
    expect({ status, code: body['code'] }).toEqual({ status: 429, code: 'too_many_requests' });
    expect(body['error']).toContain('50');
  });

  test('is refused with sessions among the allowed types, and without a prompt', async () => {
    await start(silentModel.model.ask);
    for (const wrong of [{ prompt: ' ' }, { prompt: 'x', allow_task_types: ['CONNECT'] }]) {
      expect((await api.call('POST', path, { body: wrong })).status).toBe(400);
    }
  });
});
