import { expect, test } from 'vitest';
import { openSqlite, type Sqlite } from '../../shared/node/sqlite.ts';
import { AgentUnderTest } from '../../test/harness/agent-under-test.ts';

const code = 'aB3dE6gH';

/** A database whose disk can be full: then no transaction commits. */
function fillable(): { db: Sqlite; disk: { isFull: boolean } } {
  const disk = { isFull: false };
  const db = new Proxy(openSqlite(':memory:'), {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      if (key !== 'transaction') return value.bind(target) as unknown;
      return (work: () => unknown) => {
        const run = target.transaction(work);
        return () =>
          target.transaction(() => {
            const outcome = run();
            if (disk.isFull)
              throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
            return outcome;
          })();
      };
    },
  });
  return { db, disk };
}

async function online() {
  const agent = new AgentUnderTest();
  const { db, disk } = fillable();
  agent.db = db;
  await agent.start();
  return { agent, disk, controller: agent.controller };
}

test('offers are refused while the disk is full, and taken when there is room', async () => {
  const { agent, disk, controller } = await online();
  await using _end = agent;
  disk.isFull = true;
  controller.offer({ code });
  await agent.rest();
  expect(controller.refusals()).toEqual([{ code, reason: 'disk_full' }]);
  expect(agent.core?.status().state).toBe('online');

  disk.isFull = false;
  controller.offer({ code });
  await agent.clock.advance(1_000);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
});

test('a result that cannot be written is kept and written when there is room, with a gap for the lines lost', async () => {
  const { agent, disk, controller } = await online();
  await using _end = agent;
  controller.offer({ code, parameters: { script: 'echo one; sleep 10; echo two; echo three; sleep 10' } });
  await agent.clock.advance(5_000);
  disk.isFull = true;
  await agent.clock.advance(60_000);
  expect(agent.core?.status()).toMatchObject({ state: 'online', tasks: [{ code, state: 'running' }] });
  controller.offer({ code }); // still held, not run again
  await agent.clock.advance(1_000);

  disk.isFull = false;
  await agent.clock.advance(6_000);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
  expect(controller.logs(code)).toEqual(['one']);
  expect(controller.of(code)).toContainEqual(
    expect.objectContaining({ type: 'task.gap', from: 2, to: 3, reason: 'disk_full' }),
  );
  expect(agent.machine.processes.executions).toHaveLength(1);
});

test('lines after a full disk tell of the gap before them', async () => {
  const { agent, disk, controller } = await online();
  await using _end = agent;
  controller.offer({ code, parameters: { script: 'echo one; sleep 10; echo two; sleep 10; echo three' } });
  await agent.clock.advance(5_000);
  disk.isFull = true;
  await agent.clock.advance(10_000);
  disk.isFull = false;
  await agent.clock.advance(10_000);
  const told = controller.of(code).flatMap((row) => {
    if (row.type === 'task.gap') return [`gap ${row.from}-${row.to} ${row.reason}`];
    return row.type === 'task.log' ? [`${row.line} ${row.text}`] : [];
  });
  expect(told).toEqual(['1 one', 'gap 2-2 disk_full', '3 three']);
});

test('a task whose start cannot be written down does not start, and says so', async () => {
  const { agent, disk, controller } = await online();
  await using _end = agent;
  controller.startsAccepted = false;
  controller.offer({ code });
  await agent.rest();
  disk.isFull = true;
  controller.send({ type: 'task.start', codes: [code] });
  controller.send({ type: 'task.start', codes: [code] });
  await agent.clock.advance(20_000);
  disk.isFull = false;
  await agent.clock.advance(6_000);
  expect(agent.machine.processes.executions).toEqual([]);
  expect(controller.of(code).filter(({ type }) => type === 'task.result')).toMatchObject([
    { outcome: 'FAILED', error: { code: 'disk_full' } },
  ]);
});

test('a power verb is not commanded when its note cannot be written', async () => {
  const { agent, disk, controller } = await online();
  await using _end = agent;
  controller.offer({ code, taskType: 'SHUTDOWN', parameters: {} });
  controller.acknowledges = false;
  await agent.clock.advance(1_000);
  disk.isFull = true;
  controller.send({ type: 'report.ack', seq: controller.appliedSeq });
  await agent.clock.advance(1_000);
  disk.isFull = false;
  controller.acknowledges = true;
  await agent.clock.advance(6_000);
  expect(agent.machine.power.calls).toEqual([]);
  expect(controller.result(code)).toMatchObject({ outcome: 'FAILED', error: { code: 'disk_full' } });
});

test('an agent that cannot begin an epoch waits for room before it says anything', async () => {
  const agent = new AgentUnderTest();
  await using _end = agent;
  const { db, disk } = fillable();
  agent.db = db;
  disk.isFull = true;
  await agent.start();
  await agent.clock.advance(60_000);
  expect(agent.controller.hellos).toEqual([]);
  disk.isFull = false;
  await agent.clock.advance(6_000);
  expect(agent.controller.hellos).toMatchObject([{ epoch: 1 }]);
});

test('with a database that may not grow, results displace log lines', async () => {
  const agent = new AgentUnderTest();
  await using _end = agent;
  await agent.start();
  const { controller, db } = agent;
  controller.acknowledges = false;
  controller.offer({
    code,
    parameters: { script: `${'echo a line of some length to fill the pages;'.repeat(800)} sleep 5` },
  });
  await agent.clock.advance(1_000);
  db.pragma(`max_page_count = ${Number(db.pragma('page_count', { simple: true }))}`);
  const lines = controller.logs(code).length;
  expect(lines).toBe(800);

  for (let index = 0; index < 20; index += 1) {
    controller.offer({
      code: `more00${String(index).padStart(2, '0')}`,
      taskType: 'PING',
      parameters: { host: '192.0.2.1', count: 1 },
    });
    await agent.clock.advance(3_000);
  }
  await agent.clock.advance(30_000);
  expect(controller.result(code)).toMatchObject({ outcome: 'COMPLETED' });
  expect(controller.refusals().filter(({ reason }) => reason !== 'disk_full' && reason !== 'busy')).toEqual(
    [],
  );
});

test('a task to be forgotten while the disk is full does not start, and is forgotten when there is room', async () => {
  const { agent, disk, controller } = await online();
  await using _end = agent;
  controller.startsAccepted = false;
  controller.offer({ code });
  await agent.rest();
  disk.isFull = true;
  controller.send({ type: 'task.forget', codes: [code] });
  await agent.rest();
  expect(agent.core?.status()).toMatchObject({ state: 'online', tasks: [{ code, state: 'accepted' }] });

  disk.isFull = false;
  controller.send({ type: 'task.start', codes: [code] });
  await agent.clock.advance(10_000);
  expect(agent.core?.status().tasks).toEqual([]);
  expect(agent.machine.processes.executions).toHaveLength(0);
});
