import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { creditPayload, type EndCode, frameHeader, frameTypes } from '../../tunnel/frame.ts';
import { Mux, type MuxOptions } from './mux.ts';
import type { MuxStream } from './mux-stream.ts';
import { ReceiveWindow, WindowBudget } from './receive-window.ts';
import { until } from '../../../test/harness/until.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** Two ends of one TCP connection on loopback. */
async function connection(): Promise<[Socket, Socket]> {
  const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const near = connect({ port: address.port, host: '127.0.0.1', noDelay: true });
  const [far] = (await once(server, 'connection')) as [Socket];
  closing.push(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return [near, far];
}

interface End {
  code: EndCode;
  message: string;
}

async function session(onStream: (stream: MuxStream) => void, options: Partial<MuxOptions> = {}) {
  const [near, far] = await connection();
  const ends: { operator: End[]; device: End[] } = { operator: [], device: [] };
  const device = new Mux(far, {
    side: 'device',
    onStream,
    onClose: (code, message) => ends.device.push({ code, message }),
    ...options,
  });
  const operator = new Mux(near, {
    side: 'operator',
    onClose: (code, message) => ends.operator.push({ code, message }),
  });
  return { operator, device, near, far, ends };
}

const request = Buffer.from('{}');
const echo = (stream: MuxStream): void => void pipeline(stream, stream).catch(() => undefined);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('bytes arrive whole and in order, in both directions, on many streams at once', async () => {
  const { operator } = await session(echo);
  const sent = Array.from({ length: 20 }, (_, index) => randomBytes(1 + index * 70_001));
  const received = await Promise.all(
    sent.map(async (bytes) => {
      const stream = operator.open(request);
      stream.end(bytes);
      return buffer(stream);
    }),
  );
  expect(received.map(sha256)).toEqual(sent.map(sha256));
});

test('a side that has ended still receives the answer', async () => {
  const { operator } = await session((stream) => {
    void buffer(stream).then((all) => stream.end(`got ${all.length}`));
  });
  const stream = operator.open(request);
  stream.end(randomBytes(1_000_000));
  expect((await buffer(stream)).toString()).toBe('got 1000000');
});

test('writing nothing sends nothing and holds up nobody', async () => {
  const { operator } = await session(echo);
  const stream = operator.open(request);
  stream.write(Buffer.alloc(0));
  stream.write('one');
  stream.end(Buffer.alloc(0));
  expect((await buffer(stream)).toString()).toBe('one');
});

test('the opener may end first and the other side goes on for long after', async () => {
  const { operator } = await session((stream) => {
    stream.resume();
    stream.once('end', () => {
      stream.write('one ');
      setImmediate(() => stream.end('two'));
    });
  });
  const stream = operator.open(request);
  stream.end();
  expect((await buffer(stream)).toString()).toBe('one two');
});

test('a reader that stalls stops its own stream only, and holds no more than its window', async () => {
  const stalled: MuxStream[] = [];
  const { operator, device } = await session((stream) => {
    if (Buffer.from(stream.request).toString() === 'stall') stalled.push(stream);
    else echo(stream);
  });
  const slow = operator.open(Buffer.from('stall'));
  slow.write(Buffer.alloc(2 * ReceiveWindow.initialBytes, 1));
  const fast = operator.open(request);
  fast.end(randomBytes(20_000_000));
  expect((await buffer(fast)).length).toBe(20_000_000);

  await until('the window is used up', () => slow.bytesSent === ReceiveWindow.initialBytes);
  expect(stalled[0]?.readableLength).toBe(ReceiveWindow.initialBytes);
  expect(device.isOver).toBe(false);
});

test('a reset reaches the other side as an error with its code, and harms no other stream', async () => {
  const { operator } = await session((stream) => {
    if (Buffer.from(stream.request).toString() === 'no')
      stream.destroy(Object.assign(new Error('nobody is there')));
    else echo(stream);
  });
  const refused = operator.open(Buffer.from('no'));
  const [error] = (await once(refused, 'error')) as [Error];
  expect(error).toMatchObject({ name: 'StreamReset', message: 'nobody is there' });
  const other = operator.open(request);
  other.end('still here');
  expect((await buffer(other)).toString()).toBe('still here');
});

test('a lost connection ends every stream with an error on both sides: nothing looks complete', async () => {
  const far: MuxStream[] = [];
  const { operator, near, ends } = await session((stream) => far.push(stream));
  const stream = operator.open(request);
  stream.write('half');
  await until('the stream arrived', () => far.length === 1);
  const failures = [buffer(stream), buffer(far[0] as MuxStream)].map((one) => expect(one).rejects.toThrow());
  near.destroy();
  await Promise.all(failures);
  await until('both ends know', () => ends.operator.length === 1 && ends.device.length === 1);
  expect(ends.device[0]?.code).toBe('peerLost');
});

test('closing says why on the other side', async () => {
  const { operator, ends } = await session(echo);
  operator.close('closedByPerson', 'bye');
  await until('the other side knows', () => ends.device.length === 1);
  expect(ends.device[0]).toEqual({ code: 'closedByPerson', message: 'bye' });
});

test('more streams than agreed are refused, one by one', async () => {
  const { operator } = await session(echo, { maxStreams: 2 });
  const held = [operator.open(request), operator.open(request)];
  for (const stream of held) stream.write('x');
  const third = operator.open(request);
  const [error] = (await once(third, 'error')) as [Error];
  expect(error).toMatchObject({ code: 'tooManyStreams' });
  for (const stream of held) stream.end();
  expect(await Promise.all(held.map(async (stream) => (await buffer(stream)).toString()))).toEqual([
    'x',
    'x',
  ]);
});

describe('whoever breaks the rules loses the session, with a code', () => {
  const header = (type: (typeof frameTypes)[keyof typeof frameTypes], id: number, payload: Uint8Array) =>
    Buffer.concat([frameHeader(type, id, payload.length), payload]);
  const violations: [string, Buffer][] = [
    ['garbage', randomBytes(64).fill(0xee)],
    ['data without a stream', header(frameTypes.data, 1, Buffer.from('x'))],
    ['an even stream from the operator', header(frameTypes.open, 2, request)],
    ['stream 0', header(frameTypes.open, 0, request)],
    [
      'the same stream twice',
      Buffer.concat([header(frameTypes.open, 1, request), header(frameTypes.open, 1, request)]),
    ],
    [
      'more than the window',
      Buffer.concat([
        header(frameTypes.open, 1, request),
        ...Array.from({ length: 5 }, () => header(frameTypes.data, 1, Buffer.alloc(64 * 1024))),
      ]),
    ],
    [
      'endless credit',
      Buffer.concat([
        header(frameTypes.open, 1, request),
        header(frameTypes.credit, 1, creditPayload(0xff_ff_ff_ff)),
      ]),
    ],
    [
      'data after the end',
      Buffer.concat([
        header(frameTypes.open, 1, request),
        header(frameTypes.end, 1, Buffer.alloc(0)),
        header(frameTypes.data, 1, Buffer.from('x')),
      ]),
    ],
    ['a pong that nobody asked for', header(frameTypes.pong, 0, Buffer.alloc(8))],
  ];

  test.each(violations)('%s', async (_what, bytes) => {
    const [near, far] = await connection();
    const ends: End[] = [];
    const taken: MuxStream[] = [];
    new Mux(far, {
      side: 'device',
      onStream: (stream) => taken.push(stream),
      onClose: (code, message) => ends.push({ code, message }),
    });
    near.resume();
    near.write(bytes);
    await until('the session is over', () => ends.length === 1);
    expect(ends[0]?.code).toBe('protocol');
    expect(taken.every((stream) => stream.destroyed)).toBe(true);
  });
});

test('a window grows while it is what limits, gives back what it took, and never passes its bounds', () => {
  let now = 0;
  const budget = new WindowBudget(4 * ReceiveWindow.initialBytes);
  const window = new ReceiveWindow(budget, () => now);
  window.roundTripMs = 100;
  let size: number = ReceiveWindow.initialBytes;
  const sizes: number[] = [];
  for (let turn = 0; turn < 6; turn += 1) {
    now += 150;
    expect(window.receive(size)).toBe(true);
    size = window.consumed(0);
    sizes.push(size / 1024);
  }
  expect(sizes).toEqual([512, 1024, 1024, 1024, 1024, 1024]);
  expect(window.receive(size + 1)).toBe(false);
  window.release();
  expect(budget.take(4 * ReceiveWindow.initialBytes)).toBe(true);
});

test('a window that is not what limits stays as it is', () => {
  let now = 0;
  const window = new ReceiveWindow(new WindowBudget(1e9), () => now);
  window.roundTripMs = 100;
  now += 10_000;
  window.receive(ReceiveWindow.initialBytes);
  expect(window.consumed(0)).toBe(ReceiveWindow.initialBytes);
});
