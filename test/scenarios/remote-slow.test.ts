import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { freePort } from '../harness/free-port.ts';
import { MusterProcess } from '../harness/muster-process.ts';
import { connectTo, LoopbackServer } from '../harness/ports.ts';
import { joinRemote } from '../harness/remote-device.ts';
import { residentMib } from '../harness/resident.ts';
import { until } from '../harness/until.ts';

const chunk = randomBytes(1024 * 1024);
const chunks = 1024;
const fastBytes = randomBytes(50_000_000);
/** Windows, buffers of the kernel, and garbage that was not collected yet; far from the GiB that waits. */
const growthMib = 96;
const lookEveryBytes = 32 * 1024 * 1024;

const sha256 = (parts: Iterable<Uint8Array>): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** 1 GiB that is written as fast as somebody takes it. */
async function slowAndFast() {
  let written = 0;
  const slow = await LoopbackServer.listen((socket) => {
    const send = (): void => {
      while (!socket.destroyed && written < chunks) {
        written += 1;
        if (!socket.write(chunk)) return;
      }
      if (written >= chunks && !socket.writableEnded) socket.end();
    };
    socket.on('drain', send).resume();
    send();
  });
  const fast = await LoopbackServer.listen((socket) => void socket.end(fastBytes));
  return { slow, fast, written: () => written };
}

async function digestFrom(port: number): Promise<string> {
  const hash = createHash('sha256');
  const socket = await connectTo(port);
  socket.on('data', (part: Buffer) => hash.update(part));
  await once(socket, 'end');
  return hash.digest('hex');
}

test('1 GiB that waits behind a slow reader is in nobody’s memory, holds up no other stream, and arrives whole', async () => {
  await using cluster = await Cluster.create('remote-slow');
  const { slow, fast, written } = await slowAndFast();
  using _slow = slow;
  using _fast = fast;
  const targets = [slow, fast].map(({ port }) => `127.0.0.1:${port}`);
  const agent = await joinRemote(cluster, 'edge-1', { targets });
  const [toSlow, toFast] = [await freePort(), await freePort()];
  await using muster = new MusterProcess(cluster, [
    'connect',
    'edge-1',
    ...['-L', `${toSlow}:127.0.0.1:${slow.port}`],
    ...['-L', `${toFast}:127.0.0.1:${fast.port}`],
  ]);
  await muster.says(/Ctrl-C ends/);
  const memory = () => [cluster.controller.program.pid, agent.program.pid].map(residentMib);
  const before = memory();
  const grown = () => memory().map((mib, index) => mib - (before[index] ?? 0));

  const reader = (await connectTo(toSlow)).pause();
  let last = -1;
  await until('nothing moves', () => last === (last = written()), { everyMs: 1_000 });
  expect(written()).toBeLessThan(64);
  expect(Math.max(...grown())).toBeLessThan(growthMib);

  expect(await digestFrom(toFast)).toBe(sha256([fastBytes]));
  expect(written()).toBeLessThan(64);

  const hash = createHash('sha256');
  const grownBy: number[] = [];
  let received = 0;
  reader.on('data', (part: Buffer) => {
    hash.update(part);
    received += part.length;
    if (received / lookEveryBytes > grownBy.length) grownBy.push(Math.max(...grown()));
  });
  await once(reader.resume(), 'end');
  expect(hash.digest('hex')).toBe(sha256(Array.from({ length: chunks }, () => chunk)));
  expect(Math.max(...grownBy)).toBeLessThan(2 * growthMib);
});
