import { once } from 'node:events';
import { connect } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { LoopbackServer } from '../../../test/harness/ports.ts';
import { joinSocket } from './join-socket.ts';

/** A connection whose far end is joined to a stream that the case writes and reads. */
async function joined() {
  const toSocket = new PassThrough();
  const fromSocket = new PassThrough();
  const stream = Duplex.from({ readable: toSocket, writable: fromSocket });
  const over = Promise.withResolvers<void>();
  const server = await LoopbackServer.listen(
    (socket) => void joinSocket(socket, stream).then(over.resolve, over.reject),
  );
  const near = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  await once(near, 'connect');
  over.promise.catch(() => undefined);
  return { near, toSocket, fromSocket, stream, over: over.promise, server };
}

test('each direction ends by itself', async () => {
  const { near, toSocket, fromSocket, over, server } = await joined();
  using _ = server;
  near.end('request');
  expect((await buffer(fromSocket)).toString()).toBe('request');
  toSocket.end('answer');
  expect((await buffer(near)).toString()).toBe('answer');
  await over;
});

test.each([
  ['fails', (stream: Duplex) => stream.destroy(new Error('lost'))],
  ['is over without an end', (stream: Duplex) => stream.destroy()],
])('a stream that %s resets the connection: what was sent does not look complete', async (_what, cut) => {
  const { near, toSocket, stream, over, server } = await joined();
  using _ = server;
  toSocket.write('half');
  await once(near, 'data');
  cut(stream);
  const [error] = (await once(near, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
  await expect(over).rejects.toThrow();
});

test('a connection that is reset fails the stream', async () => {
  const { near, fromSocket, stream, over, server } = await joined();
  using _ = server;
  near.write('half');
  await once(fromSocket, 'data');
  const closed = once(stream, 'close').catch(() => undefined);
  stream.on('error', () => {});
  near.resetAndDestroy();
  await expect(over).rejects.toThrow();
  await closed;
  expect(stream.destroyed).toBe(true);
});
