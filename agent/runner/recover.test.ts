import { expect, test } from 'vitest';
import { AgentUnderTest } from '../../test/harness/agent-under-test.ts';

const code = 'aB3dE6gH';
const long = { script: 'echo begun; sleep 600; echo ended' };

async function online(): Promise<AgentUnderTest> {
  const agent = new AgentUnderTest();
  await agent.start();
  return agent;
}

const ran = (agent: AgentUnderTest): number => agent.machine.processes.executions.length;

test('accepted and not reported: the hello tells it, and it runs once', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.offer({ code });
  controller.loseUp = true;
  await agent.rest();
  expect(controller.states.get(code)).toBe('PENDING');
  controller.loseUp = false;
  await agent.restart();
  await agent.clock.advance(1_000);
  expect(controller.hellos.at(-1)).toMatchObject({ tasks: [{ code, state: 'accepted' }], epoch: 2 });
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
  expect(ran(agent)).toBe(1);
});

test('accepted and not started: started by the welcome of the next process, once', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.startsAccepted = false;
  controller.offer({ code });
  await agent.rest();
  await agent.restart();
  await agent.clock.advance(1_000);
  expect(controller.hellos.at(-1)?.tasks).toEqual([{ code, attempt: 1, state: 'accepted' }]);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
  expect(ran(agent)).toBe(1);
});

test('accepted and ended at the controller meanwhile: forgotten, never run', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.startsAccepted = false;
  controller.offer({ code });
  await agent.rest();
  controller.states.set(code, 'CANCELLED');
  await agent.restart();
  await agent.clock.advance(60_000);
  expect(ran(agent)).toBe(0);
  expect(agent.core?.status().tasks).toEqual([]);
});

test('SCRIPT running: FAILED interrupted, and never run again', async () => {
  await using agent = await online();
  agent.controller.offer({ code, parameters: long });
  await agent.clock.advance(1_000);
  await agent.restart();
  await agent.clock.advance(1_000);
  expect(agent.controller.result(code)).toMatchObject({
    outcome: 'FAILED',
    attempt: 1,
    error: { code: 'interrupted' },
  });
  expect(ran(agent)).toBe(1);
});

test('idempotent SCRIPT running: run again as another attempt, its log goes on', async () => {
  await using agent = await online();
  agent.controller.offer({ code, parameters: { ...long, idempotent: true } });
  await agent.clock.advance(1_000);
  await agent.restart();
  await agent.clock.advance(601_000);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'COMPLETED', attempt: 2 });
  const lines = agent.controller
    .of(code)
    .flatMap((row) => (row.type === 'task.log' ? [[row.line, row.text]] : []));
  expect(lines).toEqual([
    [1, 'begun'],
    [2, 'begun'],
    [3, 'ended'],
  ]);
});

test('PING running: run again, also before there is a link', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.offer({ code, taskType: 'PING', parameters: { host: '192.0.2.1', count: 3 } });
  await agent.clock.advance(500);
  await agent.restart();
  await agent.clock.advance(5_000);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED', attempt: 2, result: { sent: 3 } });
});

test('PING of the link waits for a link when the agent died in the middle', async () => {
  await using agent = await online();
  const { controller } = agent;
  if (controller.socket) controller.socket.answersPings = false;
  controller.offer({ code, taskType: 'PING', parameters: {} });
  await agent.clock.advance(500);
  controller.refusal = new Error('network is down');
  await agent.restart();
  await agent.clock.advance(30_000);
  controller.refusal = undefined;
  await agent.clock.advance(61_000);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED', attempt: 2 });
});

test('REBOOT: COMPLETED by the new boot id, and never commanded twice', async () => {
  await using agent = await online();
  agent.controller.offer({ code, taskType: 'REBOOT', parameters: {} });
  await agent.rest();
  await agent.powerCut();
  await agent.clock.advance(1_000);
  expect(agent.controller.result(code)).toMatchObject({
    outcome: 'COMPLETED',
    result: { boot_id: agent.machine.bootId },
  });
  expect(agent.machine.power.calls.map(({ verb }) => verb)).toEqual(['reboot']);
});

test('REBOOT that did not happen: FAILED not_rebooted, also when the agent died in between', async () => {
  await using agent = await online();
  agent.machine.power.ignored.add('reboot');
  agent.controller.offer({ code, taskType: 'REBOOT', parameters: {}, timeoutMs: 120_000 });
  await agent.clock.advance(10_000);
  await agent.restart();
  await agent.clock.advance(60_000);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'FAILED', error: { code: 'not_rebooted' } });
  expect(agent.machine.power.calls).toHaveLength(1);
});

test('RESTART: COMPLETED by the new process on the same boot', async () => {
  await using agent = await online();
  agent.controller.offer({ code, taskType: 'RESTART', parameters: {} });
  await agent.rest();
  const before = agent.core?.status().instanceId;
  await agent.restart();
  await agent.clock.advance(1_000);
  expect(agent.controller.result(code)).toMatchObject({
    outcome: 'COMPLETED',
    result: { previous_instance_id: before, instance_id: agent.core?.status().instanceId },
  });
});

test('SHUTDOWN: the return with a new boot id proves it; with the same one it is FAILED still_up', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.offer({ code, taskType: 'SHUTDOWN', parameters: {} });
  await agent.rest();
  expect(controller.of(code).at(-1)).toMatchObject({ phase: 'powering_off' });
  await agent.powerCut();
  await agent.clock.advance(1_000);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });

  agent.machine.power.ignored.add('powerOff');
  controller.offer({ code: 'zY9xW8vU', taskType: 'SHUTDOWN', parameters: {} });
  await agent.clock.advance(1_000);
  await agent.restart();
  await agent.clock.advance(70_000);
  expect(controller.result('zY9xW8vU')).toMatchObject({ outcome: 'FAILED', error: { code: 'still_up' } });
});

test('finished and not delivered: delivered by the next process, without running', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.offer({ code, parameters: long });
  await agent.clock.advance(1_000);
  controller.refusal = new Error('network is down');
  controller.cut();
  await agent.clock.advance(700_000);
  await agent.crash();
  controller.refusal = undefined;
  await agent.start();
  await agent.rest();
  expect(controller.hellos.at(-1)?.tasks).toEqual([{ code, attempt: 1, state: 'finished' }]);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
  expect(ran(agent)).toBe(1);
});

test('delivered and not acknowledged: sent again with the same numbers, applied once', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.acknowledges = false;
  controller.offer({ code });
  await agent.clock.advance(1_000);
  const applied = [...controller.applied];
  controller.acknowledges = true;
  await agent.restart();
  await agent.rest();
  expect(controller.applied).toEqual(applied);
  expect(agent.core?.status().outbox.rows).toBe(0);
  expect(ran(agent)).toBe(1);
});

test('a task that was running five times when the agent ended is given up as a crash loop', async () => {
  await using agent = await online();
  agent.controller.offer({ code, parameters: { ...long, idempotent: true } });
  for (let crashes = 0; crashes < 6; crashes += 1) {
    await agent.clock.advance(1_000);
    expect(agent.controller.result(code)).toBeUndefined();
    await agent.restart();
  }
  await agent.clock.advance(1_000);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'FAILED', error: { code: 'crash_loop' } });
  expect(ran(agent)).toBe(6);
});

test('a cancel that the next process hears of with its welcome stops the attempt it began', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.offer({ code, parameters: { ...long, idempotent: true } });
  await agent.clock.advance(1_000);
  controller.verdicts.set(code, 'cancel');
  await agent.restart();
  await agent.clock.advance(10_000);
  expect(controller.of(code).at(-1)).toMatchObject({ type: 'task.cancelled' });
  await agent.clock.advance(600_000);
  expect(controller.logs(code)).not.toContain('ended');
});

test('after the abort the dead process changes nothing, whatever its handlers still do', async () => {
  await using agent = await online();
  agent.controller.offer({ code, parameters: { ...long, idempotent: true } });
  await agent.clock.advance(1_000);
  await agent.crash();
  const before = agent.db.serialize();
  await agent.clock.advance(1_000_000);
  expect(agent.db.serialize().equals(before)).toBe(true);
});
