/** Load on one port of loopback: bulk, ping-pong, new connections, and a writer that nobody reads. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer } from './children.ts';
import { quantile } from './measure.ts';

const pingBytes = 64;
const chunk = Buffer.alloc(256 * 1024, 7);
const stalled: Socket[] = [];

async function dial(port: number, mode: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(mode);
  return socket;
}

interface Bulk {
  port: number;
  streams: number;
  ms: number;
  up: boolean;
  /** Before anything counts. */
  warmMs?: number;
}

/** MB/s of all streams together, from the moment all of them move. */
async function bulk({ port, streams, ms, up, warmMs = 300 }: Bulk) {
  const sockets = await Promise.all(Array.from({ length: streams }, () => dial(port, up ? 'U' : 'D')));
  let bytes = 0;
  for (const socket of sockets) {
    if (!up) {
      socket.on('data', (data: Buffer) => (bytes += data.length));
      continue;
    }
    const send = (): void => {
      while (!socket.destroyed && socket.write(chunk)) bytes += chunk.length;
      bytes += chunk.length;
    };
    socket.on('drain', send);
    send();
  }
  await sleep(warmMs);
  const [before, startedAt] = [bytes, performance.now()];
  await sleep(ms);
  const mbPerSecond = (bytes - before) / 1e6 / ((performance.now() - startedAt) / 1000);
  for (const socket of sockets) socket.destroy();
  return mbPerSecond;
}

async function echoed(socket: Socket, bytes: Buffer): Promise<void> {
  socket.write(bytes);
  for (let got = 0; got < bytes.length; ) got += ((await once(socket, 'data')) as [Buffer])[0].length;
}

async function ping({ port, count, gapMs }: { port: number; count: number; gapMs: number }) {
  const socket = await dial(port, 'E');
  const bytes = Buffer.alloc(pingBytes);
  const times: number[] = [];
  for (let round = -30; round < count; round += 1) {
    const startedAt = performance.now();
    await echoed(socket, bytes);
    if (round >= 0) times.push(performance.now() - startedAt);
    if (gapMs > 0) await sleep(gapMs);
  }
  socket.destroy();
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

/** A new connection until its first byte is back. */
async function firstByte({ port, count }: { port: number; count: number }) {
  const times: number[] = [];
  for (let round = 0; round < count; round += 1) {
    const startedAt = performance.now();
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.write(`E${'x'.repeat(pingBytes)}`);
    await once(socket, 'data');
    times.push(performance.now() - startedAt);
    socket.destroy();
  }
  return quantile(times, 0.5);
}

/** Random bytes there and back; throws when they come back altered. */
async function digest({ port, mib }: { port: number; mib: number }) {
  const socket = await dial(port, 'E');
  const bytes = randomBytes(mib * 1024 * 1024);
  const hash = createHash('sha256');
  let got = 0;
  const whole = new Promise<void>((resolve) => {
    socket.once('close', resolve);
    socket.on('data', (data: Buffer) => {
      got += data.length;
      hash.update(data);
      if (got >= bytes.length) resolve();
    });
  });
  socket.write(bytes); // not ended: naive relays lose what comes after an end
  await whole;
  socket.destroy();
  if (got !== bytes.length || hash.digest('hex') !== createHash('sha256').update(bytes).digest('hex')) {
    throw new Error(`${got} of ${bytes.length} bytes came back, or others`);
  }
  return true;
}

/** Writes until nobody takes more for `ms`; returns what was taken, in MiB. The connection stays. */
async function stall({ port, mib, ms }: { port: number; mib: number; ms: number }) {
  const socket = await dial(port, 'S');
  stalled.push(socket);
  const fill = (): void => {
    while (!socket.destroyed && socket.bytesWritten < mib * 1024 * 1024 && socket.write(chunk));
  };
  socket.on('drain', fill);
  fill();
  await sleep(ms);
  return (socket.bytesWritten - socket.writableLength) / 1024 / 1024;
}

answer({
  bulk,
  ping,
  firstByte,
  digest,
  stall,
  release: () => {
    for (const socket of stalled.splice(0)) socket.destroy();
    return true;
  },
});
