import { expect, test } from 'vitest';
import { AgentUnderTest } from '../test/harness/agent-under-test.ts';
import { DialRefused } from './link/dial-refused.ts';

const code = 'aB3dE6gH';

async function online(): Promise<AgentUnderTest> {
  const agent = new AgentUnderTest();
  await agent.start();
  return agent;
}

/** Begins a drain and lets `ms` pass; tells whether it is over. */
async function drainFor(agent: AgentUnderTest, ms: number): Promise<() => boolean> {
  let drained = false;
  agent.core?.drain().then(
    () => {
      drained = true;
    },
    (error: unknown) => {
      agent.failure = error;
    },
  );
  await agent.clock.advance(ms);
  return () => drained;
}

test('runs an offered task after its start, and tells everything once and in order', async () => {
  await using agent = await online();
  agent.controller.offer({ code, parameters: { script: 'echo one; echo two' } });
  await agent.clock.advance(1_000);

  expect(agent.controller.of(code).map(({ type }) => type)).toEqual([
    'task.accepted',
    'task.log',
    'task.log',
    'task.result',
  ]);
  expect(agent.controller.logs(code)).toEqual(['one', 'two']);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'COMPLETED', result: { exit_code: 0 } });
  expect(agent.core?.status()).toMatchObject({ state: 'online', tasks: [], outbox: { rows: 0 } });
});

test('every process is a new instance in a new epoch; every link a new connection', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.cut();
  await agent.clock.advance(2_000);
  await agent.restart();
  const [first, second, third] = controller.hellos;
  expect([first, second, third].map((hello) => [hello?.epoch, hello?.connection])).toEqual([
    [1, 1],
    [1, 2],
    [2, 1],
  ]);
  expect(second?.instanceId).toBe(first?.instanceId);
  expect(third?.instanceId).not.toBe(first?.instanceId);
  expect(third?.storeId).toBe(first?.storeId);
});

test('facts are reported when the controller wants them, and when they change', async () => {
  await using agent = await online();
  const { controller, machine } = agent;
  const reported = () =>
    controller.received.flatMap((frame) => (frame.type === 'facts.report' ? [frame] : []));
  expect(reported()).toMatchObject([{ facts: { hostname: 'dummy' } }]); // the first hello had no digest

  await agent.restart();
  expect(controller.hellos.at(-1)?.factsDigest).toBe(reported()[0]?.digest);
  expect(reported()).toHaveLength(1);

  controller.factsWanted = true;
  await agent.restart();
  expect(reported()).toHaveLength(2);

  controller.factsWanted = false;
  machine.facts.values = { ...machine.facts.values, hostname: 'renamed' };
  for (let minute = 0; minute < 61; minute += 1) await agent.clock.advance(60_000);
  expect(reported().at(-1)).toMatchObject({ facts: { hostname: 'renamed' } });
  expect(reported()).toHaveLength(3);
});

test('a device that is not approved says so, keeps asking, and comes online when it is', async () => {
  const agent = new AgentUnderTest();
  await using _end = agent;
  agent.controller.refusal = new DialRefused('not_approved', 'edge-1 waits for approval', {
    retryAfterMs: 5_000,
  });
  await agent.start();
  expect(agent.core?.status()).toMatchObject({
    state: 'refused',
    lastError: { code: 'not_approved', message: 'edge-1 waits for approval' },
  });
  agent.controller.refusal = undefined;
  await agent.clock.advance(6_500);
  expect(agent.core?.status()).toMatchObject({ state: 'online', lastError: null });
});

test('a silent link is pinged after 25 s and given up after 60 s', async () => {
  await using agent = await online();
  const { controller } = agent;
  await agent.clock.advance(300_000);
  expect(controller.hellos).toHaveLength(1); // a peer that answers pings is alive

  if (controller.socket) controller.socket.answersPings = false;
  await agent.clock.advance(59_000);
  expect(controller.hellos).toHaveLength(1);
  await agent.clock.advance(30_000);
  expect(controller.hellos).toHaveLength(2);
});

test('a controller that never welcomes is left after 30 s', async () => {
  const agent = new AgentUnderTest();
  await using _end = agent;
  agent.controller.welcomes = false;
  await agent.start();
  await agent.clock.advance(29_000);
  expect(agent.controller.hellos).toHaveLength(1);
  await agent.clock.advance(3_000);
  expect(agent.controller.hellos).toHaveLength(2);
});

test('an older copy of the database is not believed to have delivered what it did not', async () => {
  await using agent = await online();
  const { controller } = agent;
  const copy = agent.db.serialize();
  controller.offer({ code });
  await agent.clock.advance(1_000);
  await agent.crash();

  // The machine is restored from a snapshot taken before.
  const { openSqlite } = await import('../shared/node/sqlite.ts');
  agent.db.close();
  agent.db = openSqlite(copy);
  await agent.start();
  controller.offer({ code: 'zY9xW8vU' });
  await agent.clock.advance(1_000);
  expect(controller.result('zY9xW8vU')).toMatchObject({ outcome: 'COMPLETED' });
});

test('drain: takes nothing new, lets what runs end, delivers it, and closes the link', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.offer({ code, parameters: { script: 'sleep 5; echo done' } });
  await agent.rest();
  const drained = await drainFor(agent, 1_000);
  controller.offer({ code: 'zY9xW8vU' });
  await agent.rest();
  expect(controller.refusals()).toEqual([{ code: 'zY9xW8vU', reason: 'draining' }]);
  expect(drained()).toBe(false);

  await agent.clock.advance(5_000);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
  expect(drained()).toBe(true);
  expect(controller.socket?.isClosed).toBe(true);
  await agent.clock.advance(120_000);
  expect(controller.hellos).toHaveLength(1);
});

test('drain: what lasts too long is stopped; a SCRIPT is FAILED interrupted', async () => {
  await using agent = await online();
  agent.controller.offer({ code, parameters: { script: 'sleep 600' } });
  await agent.rest();
  const drained = await drainFor(agent, 20_000);
  expect(drained()).toBe(true);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'FAILED', error: { code: 'interrupted' } });
});

test('drain: what may run again runs again in the next process, and that is no crash', async () => {
  await using agent = await online();
  agent.controller.offer({ code, parameters: { script: 'sleep 600', idempotent: true } });
  for (let stops = 1; stops <= 8; stops += 1) {
    await agent.clock.advance(1_000);
    expect((await drainFor(agent, 20_000))()).toBe(true);
    await agent.restart();
  }
  await agent.clock.advance(601_000);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'COMPLETED', attempt: 9 });
});

test('drain: a RESTART does not wait for itself', async () => {
  await using agent = await online();
  agent.controller.offer({ code, taskType: 'RESTART', parameters: {} });
  await agent.rest();
  expect((await drainFor(agent, 2_500))()).toBe(true);
  await agent.restart();
  await agent.clock.advance(1_000);
  expect(agent.controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
});

test('drain: what was accepted and not started is left for the next process', async () => {
  await using agent = await online();
  const { controller } = agent;
  controller.startsAccepted = false;
  controller.offer({ code });
  await agent.rest();
  const drained = await drainFor(agent, 0);
  controller.send({ type: 'task.start', codes: [code] });
  controller.states.set(code, 'IN_PROGRESS');
  await agent.clock.advance(3_000);
  expect(drained()).toBe(true);
  expect(agent.machine.processes.executions).toEqual([]);

  await agent.restart();
  await agent.clock.advance(1_000);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
});
