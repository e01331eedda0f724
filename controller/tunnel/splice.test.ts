import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { LoopbackServer } from '../../test/harness/ports.ts';
import { until } from '../../test/harness/until.ts';
import { splice } from './splice.ts';

const opened: Disposable[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one[Symbol.dispose]();
});

/** Two connections whose far ends are spliced. */
async function spliced() {
  const far: Socket[] = [];
  const server = await LoopbackServer.listen((socket) => far.push(socket));
  opened.push(server);
  const dial = async (): Promise<Socket> => {
    const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    opened.push({ [Symbol.dispose]: () => socket.destroy() });
    return socket;
  };
  const operator = await dial();
  await until('the first is there', () => far.length === 1);
  const device = await dial();
  await until('both are there', () => far.length === 2);
  const [one, other] = far as [Socket, Socket];
  return { operator, device, far: [one, other] as const, ...splice(one, other) };
}

test('bytes pass in both directions and are counted', async () => {
  const { operator, device, totals } = await spliced();
  const bytes = randomBytes(3_000_000);
  let got = 0;
  device.on('data', (chunk: Buffer) => {
    got += chunk.length;
  });
  operator.write(bytes);
  await until('all of it came', () => got === bytes.length);
  device.write('back');
  expect(String((await once(operator, 'data'))[0])).toBe('back');
  expect(totals).toEqual({ bytesIn: bytes.length, bytesOut: 4 });
});

test('a side that does not read stops the other: nothing piles up between them', async () => {
  const { operator, device, far } = await spliced();
  device.pause();
  const chunk = Buffer.alloc(64 * 1024);
  const fill = (): void => {
    while (operator.bytesWritten < 200_000_000 && operator.write(chunk));
  };
  operator.on('drain', fill);
  fill();
  let before = -1;
  const isStill = (): boolean => {
    const taken = operator.bytesWritten - operator.writableLength;
    const same = taken === before;
    before = taken;
    return same;
  };
  await until('nothing moves', isStill, { everyMs: 200 });
  expect(far[1].writableLength).toBeLessThan(1024 * 1024);
});

test.each([
  ['ends', (socket: Socket) => void socket.end()],
  ['breaks', (socket: Socket) => void socket.resetAndDestroy()],
])('a side that %s is the end of both', async (_what, over) => {
  const { operator, device, ended } = await spliced();
  const closed = once(device, 'close');
  device.resume().on('error', () => {});
  operator.on('error', () => {});
  over(operator);
  await closed;
  await ended;
});

test('what a side said last reaches the other before the end', async () => {
  const { operator, device } = await spliced();
  const bytes = randomBytes(500_000);
  const chunks: Buffer[] = [];
  device.on('data', (chunk: Buffer) => chunks.push(chunk));
  operator.end(bytes);
  await once(device, 'end');
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
});
