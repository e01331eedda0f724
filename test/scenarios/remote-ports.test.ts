import { createHash, randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { freePort } from '../harness/free-port.ts';
import { MusterProcess, musterBytes } from '../harness/muster-process.ts';
import { lacks, notTested } from '../harness/not-tested.ts';
import { connectTo, LoopbackServer } from '../harness/ports.ts';
import { joinRemote, sessionsOf } from '../harness/remote-device.ts';
import { until } from '../harness/until.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let cluster: Cluster;
/** Echoes; answers when the request has ended; never reads. */
let echo: LoopbackServer;
let afterwards: LoopbackServer;
let silent: LoopbackServer;
const here = { echo: 0, afterwards: 0, silent: 0, refused: 0, closed: 0 };
let forwards: MusterProcess;

beforeAll(async () => {
  cluster = await Cluster.create('remote-ports');
  echo = await LoopbackServer.listen((socket) => void pipeline(socket, socket).catch(() => undefined));
  afterwards = await LoopbackServer.listen((socket) => {
    void buffer(socket).then(
      (all) => socket.end(`${all.length} ${sha256(all)}`),
      () => undefined,
    );
  });
  silent = await LoopbackServer.listen((socket) => socket.pause());
  const closed = await freePort();
  const targets = [echo.port, afterwards.port, silent.port, closed].map((port) => `127.0.0.1:${port}`);
  await joinRemote(cluster, 'edge-1', { targets });
  for (const name of Object.keys(here) as (keyof typeof here)[]) here[name] = await freePort();
  forwards = new MusterProcess(cluster, [
    'connect',
    'edge-1',
    ...['-L', `${here.echo}:127.0.0.1:${echo.port}`],
    ...['-L', `${here.afterwards}:127.0.0.1:${afterwards.port}`],
    ...['-L', `${here.silent}:127.0.0.1:${silent.port}`],
    ...['-L', `${here.refused}:127.0.0.1:25`],
    ...['-L', `${here.closed}:127.0.0.1:${closed}`],
  ]);
  await forwards.says(/Ctrl-C ends the session/);
});
afterAll(async () => {
  await forwards[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  for (const server of [echo, afterwards, silent]) server[Symbol.dispose]();
});

test('60 connections at once, as a browser makes them, each with its own bytes', async () => {
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const bytes = randomBytes(1 + ((index * 7919) % 300_000));
      const socket = await connectTo(here.echo);
      socket.end(bytes);
      return sha256(await buffer(socket)) === sha256(bytes);
    }),
  );
  expect(answers).toEqual(answers.map(() => true));
});

test('connections come and go, one after the other, without leaving anything open', async () => {
  for (let count = 0; count < 100; count += 1) {
    const socket = await connectTo(here.echo);
    socket.end(`number ${count}`);
    expect((await buffer(socket)).toString()).toBe(`number ${count}`);
  }
  await until('the target has no connection left', () => echo.sockets.size === 0);
});

test('an answer that comes after the end of the request arrives whole', async () => {
  const bytes = randomBytes(2_000_000);
  const socket = await connectTo(here.afterwards);
  socket.end(bytes);
  expect((await buffer(socket)).toString()).toBe(`${bytes.length} ${sha256(bytes)}`);
});

test('nc -N: the answer after the end of standard input', async () => {
  if (notTested('half-close with netcat', lacks('nc'))) return;
  const nc = spawn('nc', ['-N', '127.0.0.1', String(here.afterwards)]);
  nc.stdin.end('a request');
  expect((await buffer(nc.stdout)).toString()).toBe(`9 ${sha256(Buffer.from('a request'))}`);
});

test('a stream whose reader stalls stops itself only, and the writer is stopped as well', async () => {
  const stalled = await connectTo(here.silent);
  const chunk = Buffer.alloc(64 * 1024);
  let isFull = false;
  const fill = (): void => {
    while (!stalled.destroyed && stalled.write(chunk)) if (stalled.bytesWritten > 200_000_000) return;
    isFull = true;
  };
  stalled
    .on('error', () => {})
    .on('drain', () => {
      isFull = false;
      fill();
    });
  fill();
  const before = stalled.bytesWritten;
  const bytes = randomBytes(5_000_000);
  const fast = await connectTo(here.echo);
  fast.end(bytes);
  expect(sha256(await buffer(fast))).toBe(sha256(bytes));
  expect(isFull).toBe(true);
  expect(stalled.bytesWritten).toBeLessThan(Math.max(before, 60_000_000));
  stalled.destroy();
});

test('a target that resets its connection is seen as a reset, not as an end', async () => {
  const socket = await connectTo(here.echo);
  socket.write('x');
  await once(socket, 'data');
  for (const one of echo.sockets) one.resetAndDestroy();
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
});

test('what the device does not allow, and what cannot be reached, is told and harms nothing else', async () => {
  for (const [port, says] of [
    [here.refused, /25: .*policy of this device does not allow tcp:127.0.0.1:25/],
    [here.closed, /cannot be reached from the device: ECONNREFUSED/],
  ] as const) {
    // The reset may come as soon as the connection stands.
    const error = await connectTo(port).then(
      async (socket) => ((await once(socket, 'error')) as [NodeJS.ErrnoException])[0],
      (reason: NodeJS.ErrnoException) => reason,
    );
    expect(error.code).toBe('ECONNRESET');
    await forwards.says(says);
  }
  const socket = await connectTo(here.echo);
  socket.end('still here');
  expect((await buffer(socket)).toString()).toBe('still here');
});

test('a port that is taken is told before anything else', async () => {
  const end = await musterBytes(cluster, ['connect', 'edge-1', '-L', `${here.echo}:127.0.0.1:${echo.port}`]);
  expect(end.exitCode).not.toBe(0);
  expect(end.stderr).toMatch(/EADDRINUSE/);
});

test('the session is listed while it is open, and closing it ends both sides within seconds', async () => {
  const open = await sessionsOf(cluster, '?state=open');
  expect(open).toMatchObject([{ device_name: 'edge-1', state: 'open' }]);
  const held = await connectTo(here.echo);
  held.on('error', () => {});
  held.write('x');
  await once(held, 'data');
  const started = performance.now();
  const id = String(open[0]?.['session']);
  expect((await cluster.muster(['session', 'close', id])).exitCode).toBe(0);
  const end = await forwards.ended;
  expect(performance.now() - started).toBeLessThan(8_000);
  expect(end.exitCode).not.toBe(0);
  expect(end.stderr).toMatch(/the session ended/);
  await until('the target has no connection left', () => echo.sockets.size === 0);
  const task = await cluster.controller.ended(String(open[0]?.['task']));
  expect(task.status).toMatch(/COMPLETED|CANCELLED/);
  expect(await sessionsOf(cluster, '?state=open')).toEqual([]);
  const told = await cluster.controller.call('GET', `/api/v1/organizations/default/sessions/${id}`);
  expect(told).toMatchObject({ state: 'closed', reason: 'closed' });
  const audit = JSON.stringify(await cluster.controller.call('GET', '/api/v1/organizations/default/audit'));
  for (const action of ['session.join', 'session.close']) expect(audit).toContain(action);
});
