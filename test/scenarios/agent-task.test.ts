import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { propose } from '../harness/assistant-under-test.ts';
import { ChatServer } from '../harness/chat-server.ts';
import { Cluster } from '../harness/cluster.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const organization = '/api/v1/organizations/default';
const key = 'sk-canary-of-the-model';

/** A controller whose model is the scripted one. */
async function withModel(server: ChatServer, folder: string): Promise<Cluster> {
  const keyFile = join(folder, 'key');
  writeFileSync(keyFile, `${key}\n`);
  const assistant = { base_url: server.url, model: 'scripted', api_key_file: keyFile, stream: true };
  return Cluster.create('agent-task', { agents: ['fw-1'], config: { assistant } });
}

test('an agent task goes on after kill -9 while the model thinks and while a person is asked; the approved task runs once', async () => {
  using folder = temporaryFolder('model');
  let isSilent = true;
  await using server = await ChatServer.start(({ messages }) => {
    if (messages.at(-1)?.role === 'tool') return { text: 'fw-1 answers.' };
    return isSilent ? 'silence' : propose('PING', ['fw-1']);
  });
  await using cluster = await withModel(server, folder.path);
  const { controller } = cluster;
  const { run } = await controller.call('POST', `${organization}/agent-tasks`, { prompt: 'Is fw-1 there?' });
  const described = () => controller.call('GET', `/api/v1/runs/${String(run)}`);
  const pending = async () => {
    const { items } = await controller.call('GET', `${organization}/questions?state=pending`);
    return (items as { id: string; prompt: string }[])[0];
  };

  await until('the model is asked', () => server.requests.length === 1);
  await controller.kill();
  isSilent = false;
  await controller.start();
  const question = await until('a person is asked', pending);
  expect(question.prompt).toContain('proposes PING on 1 device: fw-1');
  await controller.restart();
  expect((await pending())?.id).toBe(question.id);
  expect(await described()).toMatchObject({ status: 'IN_PROGRESS', agent_task: { status: 'waiting' } });

  await controller.call('POST', `${organization}/questions/${question.id}/answer`, { answer: 'approve' });
  await controller.restart();
  await until('there is an answer', async () => (await described())['completed_at'] !== null, {
    last: () => server.requests.length,
  });
  expect(await described()).toMatchObject({
    status: 'COMPLETED',
    agent_task: { answer: 'fw-1 answers.', proposals: [{ task_type: 'PING', status: 'submitted' }] },
  });
  const made = await controller.call('GET', '/api/v1/runs?type=PING');
  expect(made['items']).toMatchObject([{ status: 'COMPLETED', trigger: 'api', total: 1 }]);
  const { items } = await controller.call('GET', `/api/v1/runs/${String(run)}/transcript`);
  const roles = (items as { role: string }[]).map(({ role }) => role);
  expect(roles).toEqual(['system', 'user', 'assistant', 'tool', 'assistant']);
  expect(server.requests.every(({ authorization }) => authorization === `Bearer ${key}`)).toBe(true);
  expect(readFileSync(join(controller.folder, 'controller.log'), 'utf8')).not.toContain(key);
}, 120_000);
