import { expect, test } from 'vitest';
import { generateKeyPair, signText } from '../../shared/node/keys.ts';
import { defaultAgentConfig } from '../config.ts';
import { AgentUnderTest } from '../../test/harness/agent-under-test.ts';

const code = 'aB3dE6gH';
const other = 'zY9xW8vU';

async function online(change: (agent: AgentUnderTest) => void = () => {}): Promise<AgentUnderTest> {
  const agent = new AgentUnderTest();
  change(agent);
  await agent.start();
  return agent;
}

test.each([
  ['is for another device', { device: 'device-2' }, 'wrong_device'],
  ['expired by the controller’s clock', { expiresAt: 1 }, 'expired'],
  ['is of a type nobody knows', { taskType: 'DANCE' }, 'unknown_type'],
  ['is of a type of a later version', { taskType: 'SYNC', parameters: {} }, 'unknown_type'],
  ['has parameters that do not fit', { parameters: { script: 7 } }, 'bad_parameters'],
  ['has parameters nobody knows', { parameters: { script: 'true', sudo: true } }, 'bad_parameters'],
])('an order that %s is refused and leaves nothing behind', async (_what, over, reason) => {
  await using agent = await online();
  agent.controller.offer({ code, ...over });
  await agent.rest();
  expect(agent.controller.refusals()).toEqual([{ code, reason }]);
  expect(agent.core?.status()).toMatchObject({ tasks: [], outbox: { rows: 0 } });
});

test('an order that the pinned key did not sign is refused', async () => {
  await using agent = await online();
  agent.controller.offer({ code }, generateKeyPair());
  agent.controller.send({ type: 'task.offer', code, order: '{}', signature: '' });
  agent.controller.send({ type: 'task.offer', code, order: '{}', signature: 'not base64url at all ☃' });
  await agent.rest();
  expect(agent.controller.refusals().map(({ reason }) => reason)).toEqual(Array(3).fill('bad_signature'));
});

test('a signed order under another task’s code is refused', async () => {
  await using agent = await online();
  const { controller } = agent;
  const order = JSON.stringify(controller.order({ code }));
  const signature = signText(order, controller.keys.privateKey);
  controller.send({ type: 'task.offer', code: other, order, signature });
  await agent.rest();
  expect(controller.refusals()).toEqual([{ code: other, reason: 'bad_signature' }]);
});

test('an order from before the last accepted one is a replay, also after a restart', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.startsAccepted = false;
  controller.offer({ code, sequence: 50 });
  await agent.rest();
  controller.send({ type: 'task.forget', codes: [code] });
  await agent.rest();
  await agent.restart();
  controller.offer({ code, sequence: 50 });
  controller.offer({ code: other, sequence: 49 });
  await agent.rest();
  expect(controller.refusals()).toEqual([
    { code, reason: 'replayed' },
    { code: other, reason: 'replayed' },
  ]);
});

test('expiry counts by the controller’s clock, however wrong the device’s own is', async () => {
  await using agent = await online();
  const controllerNow = agent.clock.now();
  agent.clock.jump(400 * 86_400_000);
  agent.controller.offer({ code, expiresAt: controllerNow + 60_000 });
  await agent.clock.advance(1_000);
  expect(agent.controller.refusals()).toEqual([]);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
});

test('orders that seem expired on an old link make the agent learn the clock anew', async () => {
  await using agent = await online();
  await agent.clock.advance(120_000);
  agent.clock.jump(-400 * 86_400_000); // the fake controller reads the same clock: its time was turned back
  agent.controller.offer({ code, expiresAt: agent.clock.now() - 1 });
  await agent.clock.advance(0);
  expect(agent.controller.refusals()).toEqual([{ code, reason: 'expired' }]);

  await agent.clock.advance(5_000);
  expect(agent.controller.hellos).toHaveLength(2);
  agent.controller.offer({ code });
  await agent.clock.advance(1_000);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
});

test('policy narrows what is accepted, and hello says so', async () => {
  const policy = { task_types: ['SCRIPT', 'PING'] as ('SCRIPT' | 'PING')[], script_users: ['backup'] };
  await using agent = await online((one) => {
    one.config = { ...defaultAgentConfig, policy };
  });
  const { controller } = agent;
  controller.offer({ code, taskType: 'REBOOT', parameters: {} });
  controller.offer({ code: other, parameters: { script: 'true' } }); // as the agent's own user
  controller.offer({ code: 'bAckUp01', parameters: { script: 'true', user: 'backup' } });
  await agent.clock.advance(1_000);
  expect(controller.hellos[0]?.taskTypes.sort()).toEqual(['PING', 'SCRIPT']);
  expect(controller.refusals()).toEqual([
    { code, reason: 'policy' },
    { code: other, reason: 'policy' },
  ]);
  expect(controller.result('bAckUp01')).toMatchObject({ outcome: 'COMPLETED' });
});

test('a lane without a free slot is busy; another lane is not', async () => {
  await using agent = await online();
  const { controller } = agent;
  for (const one of ['script01', 'script02', 'script03']) {
    controller.offer({ code: one, parameters: { script: 'sleep 60' } });
  }
  controller.offer({ code, taskType: 'PING', parameters: { host: '192.0.2.1', count: 1 } });
  await agent.clock.advance(1_000);
  expect(controller.refusals()).toEqual([{ code: 'script03', reason: 'busy' }]);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
});

test('a type that needs an idle device waits for one, unless forced', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.offer({ code, parameters: { script: 'sleep 60' } });
  controller.offer({ code: other, taskType: 'REBOOT', parameters: {} });
  await agent.clock.advance(1_000);
  expect(controller.refusals()).toEqual([{ code: other, reason: 'busy' }]);

  agent.machine.power.ignored.add('reboot');
  controller.offer({ code: 'fOrced01', taskType: 'REBOOT', parameters: {}, force: true });
  await agent.clock.advance(1_000);
  expect(controller.states.get('fOrced01')).toBe('IN_PROGRESS');
});

test('a second offer of a held task runs nothing again, whatever state it is in', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.startsAccepted = false;
  const script = 'sleep 60; echo done';
  controller.offer({ code, parameters: { script } });
  await agent.rest();
  expect(controller.of(code).map(({ type }) => type)).toEqual(['task.accepted']);

  // Accepted and acknowledged: the acceptance is told again.
  controller.offer({ code, parameters: { script } });
  await agent.rest();
  expect(controller.of(code).map(({ type }) => type)).toEqual(['task.accepted', 'task.accepted']);

  controller.send({ type: 'task.start', codes: [code] });
  await agent.clock.advance(1_000);
  controller.offer({ code, parameters: { script } });
  await agent.clock.advance(60_000);
  expect(agent.machine.processes.executions).toHaveLength(1);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });

  // Finished and acknowledged: the result is told again.
  const told = controller.of(code).length;
  controller.offer({ code, parameters: { script } });
  await agent.clock.advance(1_000);
  expect(
    controller
      .of(code)
      .slice(told)
      .map(({ type }) => type),
  ).toEqual(['task.accepted', 'task.result']);
  expect(agent.machine.processes.executions).toHaveLength(1);
});

test('what still waits in the outbox is not written a second time', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.acknowledges = false;
  controller.startsAccepted = false;
  controller.offer({ code });
  controller.offer({ code });
  await agent.rest();
  expect(agent.core?.status().outbox.rows).toBe(1);
});
