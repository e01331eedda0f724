import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { type RawUpgrade, UpgradeProxy } from '../../test/harness/upgrade-proxy.ts';
import { sessionHeader, sessionPath, sessionUpgrade } from '../protocol/session.ts';
import { openSessionSocket } from './session-socket.ts';

/** Takes both kinds of upgrade and echoes; `refusal` is answered instead. */
let server: Server;
let port: number;
let asked: IncomingMessage[];
let refusal: string | undefined;
const sockets = new Set<Duplex>();

beforeEach(async () => {
  asked = [];
  refusal = undefined;
  const wss = new WebSocketServer({ noServer: true, handleProtocols: () => sessionUpgrade });
  server = createServer((request, response) => {
    asked.push(request);
    response.writeHead(426, { 'content-type': 'application/json' });
    response.end('{"code":"upgrade_required","error":"expected an upgrade","request_id":"r"}');
  });
  server.on('upgrade', (request, socket: Duplex, head: Buffer) => {
    asked.push(request);
    sockets.add(socket.on('error', () => {}));
    if (refusal !== undefined) return socket.end(refusal);
    if (request.headers.upgrade === 'websocket') {
      wss.handleUpgrade(request, socket, head, (ws) => {
        const stream = createWebSocketStream(ws);
        stream.on('error', () => {}).pipe(stream);
      });
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${sessionUpgrade}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server.close();
  server.closeAllConnections();
});

function open(url: string, more: { signal?: AbortSignal } = {}) {
  const tokens: string[] = [];
  const socket = openSessionSocket({
    url,
    session: '00000000-0000-4000-8000-000000000001',
    token: async () => {
      tokens.push(`token-${tokens.length + 1}`);
      return tokens.at(-1) ?? '';
    },
    signal: AbortSignal.timeout(20_000),
    ...more,
  });
  return { socket, tokens };
}

async function echoes(socket: Duplex): Promise<boolean> {
  const bytes = randomBytes(3_000_000);
  const hash = createHash('sha256');
  let left = bytes.length;
  const whole = new Promise<void>((resolve, reject) => {
    socket.once('error', reject).on('data', (chunk: Buffer) => {
      hash.update(chunk);
      left -= chunk.length;
      if (left === 0) resolve();
    });
  });
  socket.write(bytes);
  await whole;
  socket.destroy();
  return hash.digest('hex') === createHash('sha256').update(bytes).digest('hex');
}

test('where the path allows it the bytes are raw, and the session is named with its token', async () => {
  const { socket } = open(`http://127.0.0.1:${port}`);
  expect(await echoes(await socket)).toBe(true);
  expect(asked).toHaveLength(1);
  expect(asked[0]?.url).toBe(sessionPath);
  expect(asked[0]?.headers).toMatchObject({
    upgrade: sessionUpgrade,
    authorization: 'Bearer token-1',
    [sessionHeader]: '00000000-0000-4000-8000-000000000001',
  });
});

test.each<[RawUpgrade, string[]]>([
  ['passes', [sessionUpgrade]],
  ['refused', [sessionUpgrade, 'websocket']],
  ['cut', [sessionUpgrade, 'websocket']],
])('behind a proxy where a raw upgrade is %s the bytes arrive as they were', async (raw, upgrades) => {
  using proxy = await UpgradeProxy.listen(port, raw);
  const { socket, tokens } = open(proxy.url);
  expect(await echoes(await socket)).toBe(true);
  expect(proxy.upgrades).toEqual(upgrades);
  expect(tokens).toEqual(upgrades.map((_, index) => `token-${index + 1}`)); // each request has one of its own
});

test('a proxy that takes the upgrade away and asks on without it: WebSocket is tried', async () => {
  using proxy = await UpgradeProxy.listen(port, 'stripped');
  const { socket } = open(proxy.url);
  expect(await echoes(await socket)).toBe(true);
  expect(proxy.upgrades).toEqual([sessionUpgrade, 'websocket']);
});

test('a refusal of the controller is told as it is, and not tried again', async () => {
  const body =
    '{"code":"conflict","error":"Session x is over","detail":{"status":"EXPIRED"},"request_id":"r"}';
  refusal = `HTTP/1.1 409 Conflict\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
  await expect(open(`http://127.0.0.1:${port}`).socket).rejects.toMatchObject({
    code: 'conflict',
    message: 'Session x is over',
    detail: { status: 'EXPIRED' },
  });
  expect(asked).toHaveLength(1);
});

test('nobody there is unavailable, without a second try', async () => {
  server.close();
  await once(server, 'close');
  const { socket, tokens } = open(`http://127.0.0.1:${port}`);
  await expect(socket).rejects.toMatchObject({ code: 'unavailable' });
  expect(tokens).toHaveLength(1);
});

test('a path that passes neither says so', async () => {
  refusal = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno';
  await expect(open(`http://127.0.0.1:${port}`).socket).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/neither raw nor by WebSocket/) as string,
  });
  expect(asked.map(({ headers }) => headers.upgrade)).toEqual([sessionUpgrade, 'websocket']);
});

test('whoever waits for the other side can give up', async () => {
  server.removeAllListeners('upgrade').on('upgrade', (_request, socket: Duplex) => void sockets.add(socket));
  const stop = new AbortController();
  const { socket } = open(`http://127.0.0.1:${port}`, { signal: stop.signal });
  await once(server, 'upgrade');
  stop.abort(new Error('enough'));
  await expect(socket).rejects.toThrow();
});
