import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AgentProcess } from '../harness/agent-process.ts';
import { Cluster } from '../harness/cluster.ts';
import { freePort } from '../harness/free-port.ts';
import { MusterProcess } from '../harness/muster-process.ts';
import { connectTo, LoopbackServer } from '../harness/ports.ts';
import { runRecorded } from '../harness/recorded-shell.ts';
import { joinRemote, sessionsOf } from '../harness/remote-device.ts';
import { until } from '../harness/until.ts';

/** How soon everybody who is left must know. */
const soonMs = 15_000;

let cluster: Cluster;
let agent: AgentProcess;
/** Sends without end to whoever connects, and says how the connection was over. */
let source: LoopbackServer;
let ends: string[];

beforeEach(async () => {
  cluster = await Cluster.create('remote-kill');
  ends = [];
  source = await LoopbackServer.listen((socket) => {
    const chunk = Buffer.alloc(64 * 1024, 7);
    const send = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on('drain', send).on('error', () => ends.push('reset'));
    socket.on('end', () => ends.push('end')).resume();
    send();
  });
  agent = await joinRemote(cluster, 'edge-1', { targets: [`127.0.0.1:${source.port}`] });
});
afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
  source[Symbol.dispose]();
});

async function forwarding() {
  const port = await freePort();
  const muster = new MusterProcess(cluster, ['connect', 'edge-1', '-L', `${port}:127.0.0.1:${source.port}`]);
  await muster.says(/Ctrl-C ends/);
  const socket = await connectTo(port);
  const over = new Promise<string>((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    socket.once('end', () => resolve('end'));
  });
  let received = 0;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  await until('the transfer is under way', () => received > 5_000_000);
  const [session] = await sessionsOf(cluster, '?state=open');
  return { muster, over, task: String(session?.['task']), id: String(session?.['session']) };
}

test('an operator that is killed: the target is reset, and the task is FAILED connection_lost', async () => {
  const { muster, task } = await forwarding();
  muster.child.kill('SIGKILL');
  const ended = await cluster.controller.ended(task, soonMs);
  expect(ended).toMatchObject({ status: 'FAILED', error_code: 'connection_lost' });
  await until('the target knows', () => source.sockets.size === 0, { deadlineMs: soonMs });
  expect(ends).toEqual(['reset']);
  expect(await sessionsOf(cluster, '?state=open')).toEqual([]);
});

test('an agent that is killed: the operator is told at once, and nothing looks complete', async () => {
  const { muster, over, task, id } = await forwarding();
  await agent.kill();
  expect(await over).toBe('ECONNRESET');
  const end = await muster.ended;
  expect(end.exitCode).not.toBe(0);
  expect(end.stderr).toMatch(/the session ended: /);
  agent.start();
  expect(await cluster.controller.ended(task, 30_000)).toMatchObject({
    status: 'FAILED',
    error_code: 'interrupted',
  });
  const told = await cluster.controller.call('GET', `/api/v1/organizations/default/sessions/${id}`);
  expect(told['state']).toBe('closed');
});

test('a controller that is killed: both sides end, and its next life knows how it was', async () => {
  const { muster, over, task } = await forwarding();
  await cluster.controller.kill();
  expect(await over).toBe('ECONNRESET');
  expect((await muster.ended).stderr).toMatch(/the session ended: /);
  await until('the target knows', () => source.sockets.size === 0, { deadlineMs: soonMs });
  expect(ends).toEqual(['reset']);
  await cluster.controller.start();
  expect(await cluster.controller.ended(task, 30_000)).toMatchObject({
    status: 'FAILED',
    error_code: 'connection_lost',
  });
  expect(await sessionsOf(cluster, '?state=open')).toEqual([]);
});

test.each(['operator', 'agent', 'controller'] as const)(
  'a copy that is cut off by the death of the %s says so: exit code 0 means all of it',
  async (victim) => {
    const file = join(cluster.folder, 'large');
    writeFileSync(file, Buffer.alloc(150_000_000, 3));
    await using muster = new MusterProcess(cluster, ['exec', 'edge-1', '--', 'cat', file]);
    await once(muster.child.stdout, 'data');
    if (victim === 'operator') muster.child.kill('SIGKILL');
    if (victim === 'agent') await agent.kill();
    if (victim === 'controller') await cluster.controller.kill();
    const end = await muster.ended;
    const isWhole = end.stdout.length === statSync(file).size;
    if (end.exitCode === 0) expect(isWhole).toBe(true);
    else expect(end.stdout.equals(Buffer.alloc(end.stdout.length, 3))).toBe(true); // short, never altered
  },
);

test('what a killed agent had started for a session is gone when the agent is back', async () => {
  await using muster = new MusterProcess(cluster, ['exec', 'edge-1', '--', 'sh', '-c', 'echo $$; cat']);
  await until('it runs', () => /^\d+\n/.test(muster.stdout.toString()));
  const pid = Number(muster.stdout.toString());
  await agent.kill();
  await until('the program ended with its pipes', () => !isAlive(pid), { deadlineMs: soonMs });
});

test('a recording that was cut off by the death of the agent still reaches the controller', async () => {
  const shell = await runRecorded(cluster, 'edge-1');
  try {
    shell.type('echo kept $((40+2))\r');
    await until('it was shown', () => shell.shown().includes('kept 42'));
    const [session] = await sessionsOf(cluster, '?state=open');
    await agent.kill();
    agent.start();
    await cluster.controller.ended(String(session?.['task']), 30_000);
    const replayed = await cluster.muster([
      'session',
      'play',
      '--speed',
      '100',
      String(session?.['session']),
    ]);
    expect(replayed.stdout).toContain('kept 42');
  } finally {
    shell.kill();
  }
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
