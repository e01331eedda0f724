import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { X509Certificate } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Cluster } from '../harness/cluster.ts';
import { MusterProcess, musterBytes } from '../harness/muster-process.ts';
import { joinRemote } from '../harness/remote-device.ts';
import { selfSigned } from '../harness/self-signed.ts';
import { until } from '../harness/until.ts';

const fingerprintOf = (cert: string): string =>
  new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase();

let cluster: Cluster;
let web: Server;
let port: number;
let fingerprint: string;
let muster: MusterProcess;
let url: URL;

/** A device's web interface with a certificate of its own, as appliances have it. */
function webInterface(): Server {
  const { cert, key } = selfSigned({ name: 'appliance', expiresAt: Date.now() + 86_400_000 });
  fingerprint = fingerprintOf(cert);
  const server = createServer({ cert, key }, (request, response) => {
    if (request.url === '/login') {
      response.writeHead(302, {
        location: `https://127.0.0.1:${port}/home`,
        'set-cookie': ['sid=1; Path=/; Secure; HttpOnly; Domain=127.0.0.1; SameSite=None'],
        'strict-transport-security': 'max-age=1000',
      });
      return response.end();
    }
    if (request.url === '/upload') {
      void buffer(request).then((all) => response.end(String(all.length)));
      return;
    }
    if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': '1000' }).write('only this');
      setImmediate(() => response.socket?.destroy());
      return;
    }
    response.end(JSON.stringify({ path: request.url, headers: request.headers }));
  });
  const sockets = new WebSocketServer({ server, path: '/ws' });
  sockets.on('connection', (socket) =>
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  );
  return server;
}

beforeAll(async () => {
  cluster = await Cluster.create('remote-web');
  web = webInterface().listen(0, '127.0.0.1');
  await once(web, 'listening');
  port = (web.address() as AddressInfo).port;
  await joinRemote(cluster, 'edge-1', { targets: [`127.0.0.1:${port}`] });
  muster = new MusterProcess(cluster, [
    'web',
    'edge-1',
    '--port',
    String(port),
    '--fingerprint',
    fingerprint,
  ]);
  await until('the address is printed', () => muster.stdout.toString().includes('\n'), {
    last: () => muster.stderr,
  });
  url = new URL(muster.stdout.toString().trim());
});
afterAll(async () => {
  await muster[Symbol.asyncDispose]();
  web.close();
  web.closeAllConnections();
  await cluster[Symbol.asyncDispose]();
});

/** As a browser asks, which takes every name under localhost for this machine. */
async function ask(
  path: string,
  options: { host?: string; headers?: Record<string, string>; body?: Buffer } = {},
) {
  const request = httpRequest({
    host: '127.0.0.1',
    port: url.port,
    path,
    method: options.body ? 'POST' : 'GET',
    headers: { host: options.host ?? url.host, ...options.headers },
  });
  request.end(options.body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await buffer(response) };
}

test('the address is of this machine, with a name for the device', () => {
  expect(url.hostname).toBe('edge-1.localhost');
});

test('the device sees its own name, and the browser stays here: redirects and cookies', async () => {
  const login = await ask('/login');
  expect(login.status).toBe(302);
  expect(login.headers.location).toBe(`${url.origin}/home`);
  expect(login.headers['set-cookie']).toEqual(['sid=1; Path=/; HttpOnly; SameSite=Lax']);
  expect(login.headers['strict-transport-security']).toBeUndefined();
  const home = await ask('/home', { headers: { cookie: 'sid=1', origin: url.origin } });
  expect(JSON.parse(home.body.toString())).toMatchObject({
    path: '/home',
    headers: { host: `127.0.0.1:${port}`, cookie: 'sid=1', origin: `https://127.0.0.1:${port}` },
  });
});

test('60 requests at once, and a large upload', async () => {
  const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => ask(`/page/${index}`)));
  expect(answers.map(({ body }) => (JSON.parse(body.toString()) as { path: string }).path)).toEqual(
    answers.map((_, index) => `/page/${index}`),
  );
  expect((await ask('/upload', { body: Buffer.alloc(5_000_000) })).body.toString()).toBe('5000000');
});

test('WebSockets pass, text and binary', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${url.port}/ws`, {
    headers: { host: url.host, origin: url.origin },
  });
  await once(socket, 'open');
  socket.send('hello');
  expect(String((await once(socket, 'message'))[0])).toBe('hello');
  const bytes = Buffer.alloc(300_000, 9);
  socket.send(bytes);
  expect(((await once(socket, 'message')) as [Buffer])[0].equals(bytes)).toBe(true);
  socket.close();
  await once(socket, 'close');
});

test('an answer that the device cuts off is cut off here too', async () => {
  await expect(ask('/cut')).rejects.toThrow();
});

test('another name than its own is refused: a page elsewhere cannot come here by it', async () => {
  expect((await ask('/home', { host: 'evil.example' })).status).toBe(421);
});

test('a certificate that nobody accepted is not spoken to, and its fingerprint is told', async () => {
  const end = await musterBytes(cluster, ['web', 'edge-1', '--port', String(port)]);
  expect(end.exitCode).not.toBe(0);
  expect(end.stderr).toContain(fingerprint);
});

test('a certificate that changed is refused, with both fingerprints', async () => {
  const before = fingerprint;
  web.close();
  web.closeAllConnections();
  web = webInterface().listen(port, '127.0.0.1');
  await once(web, 'listening');
  expect(fingerprint).not.toBe(before);
  const answer = await ask('/home');
  expect(answer.status).toBe(502);
  expect(answer.body.toString()).toContain(fingerprint);
  await muster.says(new RegExp(before));
});
