import { expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { HealthCheck } from '../../shared/task-types/health-check.ts';
import { Script } from '../../shared/task-types/script.ts';
import { type HandlerContext, handle } from '../handlers/handler.ts';
import { AgentUnderTest } from '../../test/harness/agent-under-test.ts';

const code = 'aB3dE6gH';
const long = { script: 'echo begun; sleep 600; echo ended' };

const result = {
  exit_code: 0,
  signal: null,
  duration_ms: 1,
  stdout_lines: 0,
  stderr_lines: 0,
  truncated: false,
};

async function online(run?: (context: HandlerContext) => Promise<unknown>): Promise<AgentUnderTest> {
  const agent = new AgentUnderTest();
  if (run) {
    agent.handlers = {
      SCRIPT: handle(Script, async (_parameters, context) => (await run(context)) as typeof result),
    };
  }
  await agent.start();
  return agent;
}

test('nothing executes before task.start', async () => {
  await using agent = await online();
  agent.controller.startsAccepted = false;
  agent.controller.offer({ code });
  await agent.clock.advance(600_000);
  expect(agent.machine.processes.executions).toEqual([]);
  expect(agent.core?.status().tasks).toEqual([{ code, type: 'SCRIPT', state: 'accepted' }]);
});

test('a task that is started twice executes once', async () => {
  await using agent = await online();
  agent.controller.offer({ code, parameters: long });
  await agent.rest();
  agent.controller.send({ type: 'task.start', codes: [code, code] });
  await agent.clock.advance(700_000);
  agent.controller.send({ type: 'task.start', codes: [code] });
  await agent.rest();
  expect(agent.machine.processes.executions).toHaveLength(1);
});

test('a start of a task nobody holds does nothing', async () => {
  await using agent = await online();
  agent.controller.send({ type: 'task.start', codes: [code] });
  agent.controller.send({ type: 'task.cancel', code });
  agent.controller.send({ type: 'task.forget', codes: [code] });
  await agent.rest();
  expect(agent.core?.status()).toMatchObject({ state: 'online', tasks: [] });
});

test('forget frees an accepted task and never a running one', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.startsAccepted = false;
  controller.offer({ code });
  await agent.rest();
  controller.send({ type: 'task.forget', codes: [code] });
  await agent.rest();
  expect(agent.core?.status().tasks).toEqual([]);

  controller.startsAccepted = true;
  controller.offer({ code: 'zY9xW8vU', parameters: long });
  await agent.rest();
  controller.send({ type: 'task.forget', codes: ['zY9xW8vU'] });
  await agent.clock.advance(700_000);
  expect(controller.result('zY9xW8vU')).toMatchObject({ outcome: 'COMPLETED' });
});

test('a cancel stops a running task and is confirmed', async () => {
  await using agent = await online();
  agent.controller.offer({ code, parameters: long });
  await agent.clock.advance(1_000);
  agent.controller.send({ type: 'task.cancel', code });
  await agent.clock.advance(10_000);
  expect(agent.controller.of(code).at(-1)).toMatchObject({ type: 'task.cancelled', attempt: 1 });
  expect(agent.controller.logs(code)).toEqual(['begun']);
});

test('a cancel of an accepted task means it never runs, whatever its type', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.startsAccepted = false;
  controller.offer({ code, taskType: 'REBOOT', parameters: {} });
  await agent.rest();
  controller.send({ type: 'task.cancel', code });
  controller.send({ type: 'task.start', codes: [code] });
  await agent.clock.advance(60_000);
  expect(controller.of(code).at(-1)).toMatchObject({ type: 'task.cancelled' });
  expect(agent.machine.power.calls).toEqual([]);
});

test('a task whose type cannot be stopped goes on in spite of a cancel', async () => {
  await using agent = await online();
  agent.machine.power.ignored.add('reboot');
  agent.controller.offer({ code, taskType: 'REBOOT', parameters: {}, timeoutMs: 60_000 });
  await agent.clock.advance(1_000);
  agent.controller.send({ type: 'task.cancel', code });
  await agent.clock.advance(40_000);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'FAILED', error: { code: 'not_rebooted' } });
});

test('a cancel that comes after the end changes nothing', async () => {
  await using agent = await online();
  agent.controller.offer({ code });
  await agent.clock.advance(1_000);
  agent.controller.send({ type: 'task.cancel', code });
  await agent.clock.advance(1_000);
  expect(agent.controller.of(code).at(-1)).toMatchObject({ type: 'task.result', outcome: 'COMPLETED' });
});

test('a handler that finishes in spite of a cancel has finished', async () => {
  await using agent = await online(async ({ clock }) => {
    await clock.sleep(1_000);
    return result;
  });
  agent.controller.offer({ code });
  await agent.rest();
  agent.controller.send({ type: 'task.cancel', code });
  await agent.clock.advance(2_000);
  expect(agent.controller.of(code).at(-1)).toMatchObject({ type: 'task.result', outcome: 'COMPLETED' });
});

test('a task that lasts longer than its time-out is stopped', async () => {
  await using agent = await online();
  agent.controller.offer({ code, parameters: long, timeoutMs: 30_000 });
  await agent.clock.advance(45_000);
  expect(agent.controller.result(code)).toMatchObject({
    outcome: 'FAILED',
    error: { code: 'timed_out', message: 'It did not end within 30 s' },
  });
});

test('a handler that does not stop is left alone after a while, and that is said', async () => {
  await using agent = await online(({ clock }) => clock.sleep(1e9).then(() => result));
  agent.controller.offer({ code });
  await agent.rest();
  agent.controller.send({ type: 'task.cancel', code });
  await agent.clock.advance(31_000);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'FAILED', error: { code: 'stuck' } });
});

test.each([
  [
    'a foreseen failure keeps its code and what it found out',
    new TaskError('exit_code', 'no', { result: { exit_code: 3 } }),
    { error: { code: 'exit_code', message: 'no' }, result: { exit_code: 3 } },
  ],
  [
    'a bug is internal, and its text stays on the device',
    new TypeError('secret detail'),
    { error: { code: 'internal' } },
  ],
])('%s', async (_what, thrown, expected) => {
  await using agent = await online(() => Promise.reject(thrown));
  agent.controller.offer({ code });
  await agent.rest();
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'FAILED', ...expected });
  expect(JSON.stringify(agent.controller.result(code))).not.toContain('secret');
});

test('a result that does not fit its contract is a bug', async () => {
  await using agent = await online(async () => ({ exit_code: 'zero' }));
  agent.controller.offer({ code });
  await agent.rest();
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'FAILED', error: { code: 'internal' } });
});

test('a result too long for a frame is left out; the outcome is told', async () => {
  const agent = new AgentUnderTest();
  await using _end = agent;
  agent.handlers = {
    HEALTH_CHECK: handle(HealthCheck, async () => ({
      verdict: 'pass' as const,
      checks: [],
      facts: { novel: 'x'.repeat(2_000_000) },
    })),
  };
  await agent.start();
  agent.controller.offer({ code, taskType: 'HEALTH_CHECK', parameters: {} });
  await agent.rest();
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
  expect(agent.controller.result(code)).not.toHaveProperty('result');
});

test('a phase is awaited until the controller has committed it', async () => {
  const told: string[] = [];
  await using agent = await online(async ({ reportPhase }) => {
    await reportPhase('powering_off', 'going');
    told.push('committed');
    return result;
  });
  agent.controller.acknowledges = false;
  agent.controller.offer({ code });
  await agent.clock.advance(5_000);
  expect(agent.controller.of(code).at(-1)).toMatchObject({ type: 'task.progress', phase: 'powering_off' });
  expect(told).toEqual([]);
  agent.controller.send({ type: 'report.ack', seq: agent.controller.appliedSeq });
  await agent.rest();
  expect(told).toEqual(['committed']);
});

test('progress is told at most once a second, the newest last', async () => {
  await using agent = await online(async ({ progress, clock }) => {
    for (let percent = 1; percent <= 100; percent += 1) {
      progress({ percent });
      await clock.sleep(50);
    }
    await clock.sleep(5_000);
    return result;
  });
  agent.controller.offer({ code });
  await agent.clock.advance(15_000);
  const told = agent.controller
    .of(code)
    .flatMap((row) => (row.type === 'task.progress' ? [row.percent] : []));
  expect(told.length).toBeLessThanOrEqual(7);
  expect(told[0]).toBe(1);
  expect(told.at(-1)).toBe(100);
});

test('the end of the link touches no running task', async () => {
  await using agent = await online();
  agent.controller.offer({ code, parameters: long });
  await agent.clock.advance(1_000);
  agent.controller.refusal = new Error('network is down');
  agent.controller.cut();
  await agent.clock.advance(700_000);
  expect(agent.core?.status()).toMatchObject({ tasks: [{ code, state: 'finished' }], state: 'connecting' });

  agent.controller.refusal = undefined;
  await agent.clock.advance(61_000);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
  expect(agent.controller.logs(code)).toEqual(['begun', 'ended']);
  expect(agent.machine.processes.executions).toHaveLength(1);
});
