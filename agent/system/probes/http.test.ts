import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../../../test/harness/free-port.ts';
import { http } from './http.ts';

const never = () => new AbortController().signal;

async function serve(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/health?deep=1`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test.each([200, 204, 404, 503])('tells status %d', async (status) => {
  await using server = await serve((request, response) => {
    expect(`${request.method} ${request.url}`).toBe('GET /health?deep=1');
    response.writeHead(status).end();
  });
  expect(await http(server.url, never())).toMatchObject({ status, durationMs: expect.any(Number) });
});

test('does not follow a redirect', async () => {
  let asked = 0;
  await using server = await serve((_request, response) => {
    asked += 1;
    response.writeHead(302, { location: '/elsewhere' }).end();
  });
  expect(await http(server.url, never())).toMatchObject({ status: 302 });
  expect(asked).toBe(1);
});

test('does not wait for a body that never ends', async () => {
  await using server = await serve((_request, response) => {
    response.writeHead(200);
    response.write('x');
  });
  expect(await http(server.url, never())).toMatchObject({ status: 200 });
});

test('an abort ends a server that does not answer', async () => {
  const controller = new AbortController();
  await using server = await serve(() => controller.abort(new Error('enough')));
  await expect(http(server.url, controller.signal)).rejects.toThrow('enough');
});

test('a closed port is a plain sentence', async () => {
  const port = await freePort();
  await expect(http(`http://127.0.0.1:${port}/`, never())).rejects.toMatchObject({
    code: 'not_reached',
    message: `GET http://127.0.0.1:${port}: the connection was refused`,
  });
});

test('a server that speaks something else is a failure', async () => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('SSH-2.0-OpenSSH\r\n');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await expect(http(`http://127.0.0.1:${port}/`, never())).rejects.toMatchObject({ code: 'not_reached' });
  server.close();
});
