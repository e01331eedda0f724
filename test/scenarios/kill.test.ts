import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentProcess } from '../harness/agent-process.ts';
import { Cluster } from '../harness/cluster.ts';
import { type Direction, type Frame, FrameGate } from '../harness/frame-gate.ts';
import { lacks, notTested } from '../harness/not-tested.ts';
import { until } from '../harness/until.ts';

/** One controller for the file; every case has an agent, a gate and files of its own. */
let cluster: Cluster;
let cases = 0;
beforeAll(async () => {
  cluster = await Cluster.create('kill');
});
afterAll(() => cluster[Symbol.asyncDispose]());

interface Stage extends AsyncDisposable {
  agent: AgentProcess;
  gate: FrameGate;
  /** Gets a line whenever the script begins. */
  ran: string;
  /** The script ends when this file exists. */
  go: string;
}

async function stage(): Promise<Stage> {
  const name = `victim-${++cases}`;
  const gate = await FrameGate.open(cluster.controller.url);
  const agent = await cluster.join(name, { url: gate.url });
  const go = join(cluster.folder, `${name}.go`);
  return {
    agent,
    gate,
    ran: join(cluster.folder, `${name}.ran`),
    go,
    async [Symbol.asyncDispose]() {
      writeFileSync(go, ''); // a script that outlived its agent ends now
      await agent[Symbol.asyncDispose]();
      await gate[Symbol.asyncDispose]();
    },
  };
}

const script = ({ ran, go }: Stage) => `echo ran >> ${ran}
echo started
for i in $(seq 600); do [ -e ${go} ] && break; sleep 0.1; done
echo ended`;

const timesRan = ({ ran }: Stage) =>
  existsSync(ran) ? readFileSync(ran, 'utf8').trim().split('\n').length : 0;

const reports = (frame: Frame, type: string): boolean =>
  frame.type === 'report.batch' && (frame['reports'] as { type: string }[]).some((one) => one.type === type);

interface Moment {
  name: string;
  direction: Direction;
  matches: (frame: Frame, gate: FrameGate) => boolean;
}

/** Every state that is written down somewhere, entered and not yet told to the other side. */
const moments: Moment[] = [
  {
    name: 'PENDING, offered and not received',
    direction: 'down',
    matches: ({ type }) => type === 'task.offer',
  },
  {
    name: 'accepted on the device and not reported',
    direction: 'up',
    matches: (frame) => reports(frame, 'task.accepted'),
  },
  { name: 'IN_PROGRESS and not started', direction: 'down', matches: ({ type }) => type === 'task.start' },
  {
    name: 'its result in the outbox and not delivered',
    direction: 'up',
    matches: (frame) => reports(frame, 'task.result'),
  },
  {
    name: 'its result committed and not acknowledged',
    direction: 'down',
    matches: (frame, gate) =>
      frame.type === 'report.ack' && gate.seen.some((one) => reports(one.frame, 'task.result')),
  },
];

const victims = {
  agent: async ({ agent, gate }: Stage, release: () => void) => {
    await agent.kill();
    release();
    gate.cut();
    agent.start();
  },
  controller: async (_stage: Stage, release: () => void) => {
    await cluster.controller.kill();
    release();
    await cluster.controller.start();
  },
};

describe.each(['agent', 'controller'] as const)('kill -9 of the %s', (victim) => {
  test.each(moments)('with a SCRIPT $name: it runs once and is COMPLETED', async ({ direction, matches }) => {
    await using here = await stage();
    writeFileSync(here.go, '');
    const { caught, release } = here.gate.hold(direction, (frame) => matches(frame, here.gate));

    const [code = ''] = await cluster.controller.run({
      type: 'SCRIPT',
      targets: { devices: [here.agent.name] },
      payload: { script: script(here) },
    });
    await caught;
    await victims[victim](here, release);

    const task = await cluster.controller.ended(code);
    expect(task).toMatchObject({ status: 'COMPLETED', attempt: 1, result: { exit_code: 0 } });
    expect(timesRan(here)).toBe(1);
    expect(await cluster.controller.logs(code)).toEqual(['started', 'ended']);
  });
});

test('kill -9 of the agent while a SCRIPT runs: FAILED interrupted, never run again', async () => {
  await using here = await stage();
  const [code = ''] = await cluster.controller.run({
    type: 'SCRIPT',
    targets: { devices: [here.agent.name] },
    payload: { script: script(here) },
  });
  await until('the script runs', () => timesRan(here) === 1);
  await here.agent.restart();

  const task = await cluster.controller.ended(code);
  expect(task).toMatchObject({ status: 'FAILED', error_code: 'interrupted', attempt: 1 });
  expect(timesRan(here)).toBe(1);
});

test('kill -9 of the agent while an idempotent SCRIPT runs: it is run again and COMPLETED', async () => {
  await using here = await stage();
  const [code = ''] = await cluster.controller.run({
    type: 'SCRIPT',
    targets: { devices: [here.agent.name] },
    payload: { script: script(here), idempotent: true },
  });
  await until('the script runs', () => timesRan(here) === 1);
  await here.agent.kill();
  writeFileSync(here.go, '');
  here.agent.start();

  const task = await cluster.controller.ended(code);
  expect(task).toMatchObject({ status: 'COMPLETED', attempt: 2 });
  expect(timesRan(here)).toBe(2);
});

test('kill -9 of the controller while a SCRIPT runs: the script goes on and its result arrives', async () => {
  await using here = await stage();
  const [code = ''] = await cluster.controller.run({
    type: 'SCRIPT',
    targets: { devices: [here.agent.name] },
    payload: { script: script(here) },
  });
  await until('the script runs', () => timesRan(here) === 1);
  await cluster.controller.kill();
  writeFileSync(here.go, '');
  await cluster.controller.start();

  expect(await cluster.controller.ended(code)).toMatchObject({ status: 'COMPLETED', attempt: 1 });
  expect(timesRan(here)).toBe(1);
});

const withoutPing = notTested('kill -9 while a PING runs', lacks('ping'));

test.skipIf(withoutPing)(
  'kill -9 of the agent while a PING runs: it is run again and COMPLETED',
  async () => {
    await using here = await stage();
    const [code = ''] = await cluster.controller.run({
      type: 'PING',
      targets: { devices: [here.agent.name] },
      payload: { host: '127.0.0.1', count: 3 },
    });
    await cluster.controller.reaches(code, ['IN_PROGRESS']);
    await here.agent.restart();

    const task = await cluster.controller.ended(code);
    expect(task).toMatchObject({ status: 'COMPLETED', attempt: 2, result: { sent: 3 } });
  },
);

describe.each(['REBOOT', 'RESTART', 'HEALTH_CHECK'])('%s', (type) => {
  test.each(moments)('is true to what happened when the agent is killed with it $name', async (moment) => {
    await using here = await stage();
    const { caught, release } = here.gate.hold(moment.direction, (frame) => moment.matches(frame, here.gate));
    const [code = ''] = await cluster.controller.run({ type, targets: { devices: [here.agent.name] } });
    await caught;
    await victims.agent(here, release);

    expect(await cluster.controller.ended(code)).toMatchObject({ type, status: 'COMPLETED' });
  });
});

const poweringOff = (frame: Frame): boolean =>
  frame.type === 'report.batch' &&
  (frame['reports'] as { phase?: string }[]).some(({ phase }) => phase === 'powering_off');

describe('SHUTDOWN', () => {
  test.each(moments.slice(0, 3))('is COMPLETED when the agent is killed with it $name', async (moment) => {
    await using here = await stage();
    const { caught, release } = here.gate.hold(moment.direction, (frame) => moment.matches(frame, here.gate));
    const [code = ''] = await cluster.controller.run({
      type: 'SHUTDOWN',
      targets: { devices: [here.agent.name] },
    });
    await caught;
    await victims.agent(here, release);
    await until('the machine is off', () => !here.agent.program.isAlive);
    expect(await cluster.controller.task(code)).toMatchObject({ status: 'IN_PROGRESS' });

    here.agent.start(); // somebody presses the button
    expect(await cluster.controller.ended(code)).toMatchObject({
      status: 'COMPLETED',
      result: { boot_id: expect.any(String) },
    });
  });

  test.each([
    { name: 'saying that it powers off', direction: 'up' as const, matches: poweringOff },
    {
      name: 'heard and not yet acknowledged',
      direction: 'down' as const,
      matches: (frame: Frame, gate: FrameGate) =>
        frame.type === 'report.ack' && gate.seen.some((one) => poweringOff(one.frame)),
    },
  ])('is FAILED interrupted when the agent is killed $name: the machine was not told', async (moment) => {
    await using here = await stage();
    const { caught, release } = here.gate.hold(moment.direction, (frame) => moment.matches(frame, here.gate));
    const [code = ''] = await cluster.controller.run({
      type: 'SHUTDOWN',
      targets: { devices: [here.agent.name] },
    });
    await caught;
    await victims.agent(here, release);
    expect(await cluster.controller.ended(code)).toMatchObject({
      status: 'FAILED',
      error_code: 'interrupted',
    });
    expect(here.agent.program.isAlive).toBe(true);
  });
});
