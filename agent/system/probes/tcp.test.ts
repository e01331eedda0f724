import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../../../test/harness/free-port.ts';
import { tcp } from './tcp.ts';

const never = () => new AbortController().signal;

test('connects, measures and closes', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connection = once(server, 'connection');
  const { connectMs } = await tcp({ host: '127.0.0.1', port }, never());
  expect(connectMs).toBeGreaterThan(0);

  const [socket] = (await connection) as [Socket];
  socket.on('error', () => undefined).resume();
  if (!socket.destroyed) await once(socket, 'close');
  server.close();
});

test('a closed port is a plain sentence', async () => {
  const port = await freePort();
  await expect(tcp({ host: '127.0.0.1', port }, never())).rejects.toMatchObject({
    code: 'not_reached',
    message: `TCP 127.0.0.1 port ${port}: the connection was refused`,
  });
});

test('a name that cannot exist is a plain sentence', async () => {
  await expect(tcp({ host: 'a..b', port: 1 }, never())).rejects.toMatchObject({ code: 'not_reached' });
});

test('an abort is passed on as it is', async () => {
  const controller = new AbortController();
  const running = tcp({ host: '127.0.0.1', port: await freePort() }, controller.signal);
  controller.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
  await expect(tcp({ host: '127.0.0.1', port: 9 }, controller.signal)).rejects.toThrow('enough');
});
