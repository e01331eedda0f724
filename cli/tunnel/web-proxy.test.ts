import { once } from 'node:events';
import { createServer, type IncomingMessage, request as httpRequest, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { serveWeb } from './web-proxy.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** A device's web server that says what it was asked. */
async function device(name: string): Promise<{ port: number; opened: () => number }> {
  let opened = 0;
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/moved' ? 302 : 200, {
      ...(request.url === '/moved' ? { location: '/home' } : {}),
      'set-cookie': [`sid=${name}; Path=/; Domain=device.example; Secure`, 'theme=dark'],
    });
    response.end(JSON.stringify({ name, path: request.url, headers: request.headers }));
  });
  new WebSocketServer({ server }).on('connection', (ws, request) => {
    ws.send(JSON.stringify(request.headers));
    ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  });
  server.on('connection', () => (opened += 1));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return { port: (server.address() as AddressInfo).port, opened: () => opened };
}

async function proxied(name: string, onward: { port: number }) {
  const failures: string[] = [];
  const { url, server } = await serveWeb({
    name,
    upstream: 'http://127.0.0.1:80',
    port: 0,
    open: async () => {
      const socket = connect({ port: onward.port, host: '127.0.0.1', allowHalfOpen: true });
      await once(socket, 'connect');
      return socket;
    },
    onFailure: (message) => failures.push(message),
  });
  servers.push(server);
  return { url: new URL(url), failures };
}

async function ask(url: URL, path: string, headers: Record<string, string> = {}) {
  const request = httpRequest({
    host: '127.0.0.1',
    port: url.port,
    path,
    headers: { host: url.host, ...headers },
  });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const body = (await buffer(response)).toString();
  return { status: response.statusCode, headers: response.headers, body };
}

test('each device has a name of its own, and its cookies stay with that name', async () => {
  const [one, two] = [await proxied('fw-1', await device('one')), await proxied('fw-2', await device('two'))];
  expect([one.url.hostname, two.url.hostname]).toEqual(['fw-1.localhost', 'fw-2.localhost']);
  expect((await ask(one.url, '/')).headers['set-cookie']).toEqual(['sid=one; Path=/', 'theme=dark']);
  expect((await ask(two.url, '/')).headers['set-cookie']).toEqual(['sid=two; Path=/', 'theme=dark']);
  // A browser sends no cookie of one name to the other; whoever comes by the other's name is not served.
  expect((await ask(two.url, '/', { host: `fw-1.localhost:${two.url.port}` })).status).toBe(421);
});

test.each(['127.0.0.1', 'localhost'])(
  'as %s, which all devices would share, nothing is served: the browser is sent to the name',
  async (host) => {
    const onward = await device('one');
    const { url } = await proxied('fw-1', onward);
    const answer = await ask(url, '/home?a=1', { host: `${host}:${url.port}` });
    expect(answer.status).toBe(307);
    expect(answer.headers.location).toBe(`${url.origin}/home?a=1`);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(onward.opened()).toBe(0);
  },
);

test('a redirect without a host stays as it is', async () => {
  const { url } = await proxied('fw-1', await device('one'));
  const answer = await ask(url, '/moved');
  expect(answer).toMatchObject({ status: 302, headers: { location: '/home' } });
});

test('connections to the device are used again', async () => {
  const onward = await device('one');
  const { url } = await proxied('fw-1', onward);
  for (let count = 0; count < 5; count += 1) expect((await ask(url, '/')).status).toBe(200);
  expect(onward.opened()).toBe(1);
});

test('a WebSocket goes through, asked for as the device knows itself; from a page elsewhere it says so', async () => {
  const { url } = await proxied('fw-1', await device('one'));
  for (const [origin, seen] of [
    [url.origin, 'http://127.0.0.1'],
    ['http://evil.example', 'http://evil.example'],
  ] as const) {
    const ws = new WebSocket(`ws://127.0.0.1:${url.port}/ws`, { headers: { host: url.host, origin } });
    const headers = JSON.parse(String((await once(ws, 'message'))[0])) as Record<string, string>;
    expect(headers['host']).toBe('127.0.0.1');
    expect(headers['origin']).toBe(seen);
    ws.send('hello');
    expect(String((await once(ws, 'message'))[0])).toBe('hello');
    ws.close();
    await once(ws, 'close');
  }
});

test('a WebSocket under another name than its own is not taken', async () => {
  const { url } = await proxied('fw-1', await device('one'));
  const ws = new WebSocket(`ws://127.0.0.1:${url.port}/ws`, {
    headers: { host: `evil.example:${url.port}` },
  });
  await expect(once(ws, 'open')).rejects.toThrow();
});

test('a device that cannot be reached is told to the browser and to the person', async () => {
  const onward = await device('one');
  const { url, failures } = await proxied('fw-1', onward);
  servers[0]?.close();
  await once(servers[0] as Server, 'close');
  const answer = await ask(url, '/home');
  expect(answer.status).toBe(502);
  expect(answer.body).toMatch(/ECONNREFUSED/);
  expect(failures).toEqual([expect.stringMatching(/^GET \/home: .*ECONNREFUSED/)]);
});
