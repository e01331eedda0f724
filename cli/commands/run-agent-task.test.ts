import { beforeEach, expect, test } from 'vitest';
import type { AgentTask } from '../../shared/api/assistant.ts';
import type { Run } from '../../shared/api/runs.ts';
import { FakeController, refused } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';
import { runId, sampleAnswer, sampleRun } from '../testing/samples.ts';

const create = 'POST /api/v1/organizations/default/agent-tasks';
const time = '2026-01-01T00:00:00.000Z';

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  controller.on(create, { body: { ...sampleAnswer(), type: 'AGENT_TASK' } });
  return () => controller.close();
});

const agentTask = (over: Partial<AgentTask>): AgentTask => ({
  status: 'running',
  prompt: 'What is new?',
  allow_task_types: [],
  answer: null,
  error_code: null,
  error_message: null,
  steps: 1,
  max_steps: 25,
  tokens_in: 10,
  tokens_out: 5,
  max_tokens: 200_000,
  started_at: time,
  deadline: time,
  completed_at: null,
  proposals: [],
  ...over,
});

const agentRun = (status: Run['status'], task: Partial<AgentTask>): Run =>
  sampleRun({
    type: 'AGENT_TASK',
    status,
    agent_task: agentTask(task),
    completed_at: status === 'IN_PROGRESS' ? null : time,
  });

/** What one look after the other shows; the last one stays. */
function willShow(...runs: Run[]): void {
  let looks = 0;
  controller.on(`GET /api/v1/runs/${runId}`, () => ({ body: runs[Math.min(looks++, runs.length - 1)] }));
}

const run = (...args: string[]) => runMuster(['run', ...args], { url: controller.url });

test('a prompt is sent with its bounds, and where to look is told', async () => {
  willShow(agentRun('IN_PROGRESS', {}));
  const { exitCode, stdout, stderr } = await run(
    ...['agent-task', 'What is new?', '--allow-type', 'PING', '--allow-type', 'PULL'],
    ...['--max-steps', '5', '--max-tokens', '9000', '--time-limit', '10m'],
  );
  expect(exitCode).toBe(0);
  const [request] = controller.requests(create);
  expect(request?.body).toEqual({
    prompt: 'What is new?',
    allow_task_types: ['PING', 'PULL'],
    max_steps: 5,
    max_tokens: 9_000,
    timeout_seconds: 600,
  });
  expect(request?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  expect(stdout).toMatch(/Steps: +1 of at most 25/);
  expect(stderr).toContain(`muster run transcript ${runId}`);
});

test('--wait tells what waits for approval, and ends with the answer', async () => {
  const proposal = { task_type: 'REBOOT', question: 'q-1', run: null, decided_by: null };
  willShow(
    agentRun('IN_PROGRESS', { status: 'waiting', proposals: [{ ...proposal, status: 'waiting' }] }),
    agentRun('COMPLETED', { status: 'completed', answer: 'All\nis \u001b[2Jwell.' }),
  );
  const { exitCode, stdout, stderr } = await run('agent-task', 'What is new?', '--wait');
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'All\nis \ufffd[2Jwell.\n' });
  expect(stderr).toContain('REBOOT waits: muster question answer q-1 approve|reject');
});

test('--wait fails with the reason when there is no answer', async () => {
  willShow(
    agentRun('FAILED', {
      status: 'failed',
      error_code: 'steps_exceeded',
      error_message: 'There was no answer',
    }),
  );
  const { exitCode, stderr } = await run('agent-task', 'What is new?', '--wait');
  expect(exitCode).toBe(1);
  expect(stderr).toContain('FAILED: There was no answer');
});

test('a controller without a model says so', async () => {
  controller.on(create, refused(409, 'assistant_not_configured', 'No model is configured'));
  expect(await run('agent-task', 'What is new?')).toMatchObject({
    exitCode: 6,
    stderr: expect.stringContaining('No model is configured'),
  });
});

test('--schedule gives it to a schedule', async () => {
  const add = 'POST /api/v1/organizations/default/scheduled-tasks';
  controller.on(add, {
    status: 201,
    body: {
      code: 'aB3dE6gH',
      schedule_name: 'nightly',
      kind: 'AGENT_TASK',
      request: { prompt: 'What is new?' },
      enabled: true,
      created_by: 'ops@example.org',
      last_fired_at: null,
      created_at: time,
      updated_at: time,
    },
  });
  expect((await run('agent-task', 'What is new?', '--schedule', 'nightly')).exitCode).toBe(0);
  expect(controller.requests(add)[0]?.body).toEqual({
    schedule: 'nightly',
    kind: 'AGENT_TASK',
    request: { prompt: 'What is new?' },
  });
});

test('a transcript shows who said what, page by page', async () => {
  const page = (seq: number, complete: boolean, message: object) => ({
    items: [{ seq, at: time, text: '', ...message }],
    next: seq,
    complete,
  });
  controller.on(`GET /api/v1/runs/${runId}/transcript`, ({ query }) => ({
    body:
      query['after'] === '0'
        ? page(1, false, { role: 'user', text: 'What is new?' })
        : page(2, true, {
            role: 'assistant',
            tool_calls: [{ id: 'c', name: 'list_devices', arguments: '{}' }],
          }),
  }));
  const { stdout } = await run('transcript', runId);
  expect(stdout).toBe('user      What is new?\nassistant → list_devices {}\n');
});
