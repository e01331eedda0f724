import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { jwtVerify } from 'jose';
import { afterEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { generateKeyPair, importPublicKey } from '../../shared/node/keys.ts';
import { systemClock, systemRandom } from '../../shared/node/system-clock.ts';
import { ControllerClock } from './controller-clock.ts';
import { wsDial } from './dial.ts';
import { DialRefused } from './dial-refused.ts';
import { parseRefusal } from './refusal.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

async function stage(onUpgrade: OnUpgrade, handshakeTimeoutMs = 5_000) {
  const server = createServer().on('upgrade', onUpgrade).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const keys = generateKeyPair();
  const controllerClock = new ControllerClock(systemClock);
  const { port } = server.address() as AddressInfo;
  const dial = wsDial({
    url: `http://127.0.0.1:${port}`,
    controllerId: 'controller-1',
    deviceId: 'device-1',
    keys,
    controllerClock,
    random: systemRandom,
    handshakeTimeoutMs,
  });
  return { dial, keys, controllerClock };
}

const refuse =
  (status: number, body: string): OnUpgrade =>
  (_request, socket) => {
    socket.end(
      `HTTP/1.1 ${status} No\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  };
const never = new AbortController().signal;

test('dials with a token that names device and controller, and frames flow both ways', async () => {
  const wss = new WebSocketServer({ noServer: true });
  let request: IncomingMessage | undefined;
  const { dial, keys } = await stage((asked, socket, head) => {
    request = asked;
    wss.handleUpgrade(asked, socket, head, (ws) => {
      ws.send('welcome'); // together with the upgrade: must not be missed
      ws.on('message', (data) => ws.send(data.toString(), { binary: false }));
    });
  });
  const socket = await dial(never);
  const heard: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.listen({
    frame: (text) => {
      heard.push(text);
      if (heard.length === 2) resolve();
    },
    alive: () => undefined,
    closed: () => undefined,
  });
  socket.send('hello');
  await promise;
  expect(heard).toEqual(['welcome', 'hello']);
  expect(request?.url).toBe('/link');

  const token = (request?.headers.authorization ?? '').replace('Bearer ', '');
  const { payload, protectedHeader } = await jwtVerify(token, importPublicKey(keys.publicKey), {
    audience: 'controller-1',
    subject: 'device-1',
    algorithms: ['EdDSA'],
  });
  expect(protectedHeader.alg).toBe('EdDSA');
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeLessThanOrEqual(60);
  expect(payload.jti).toMatch(/^[0-9a-f-]{36}$/);
  const ended = Promise.withResolvers<void>();
  for (const ws of wss.clients) ws.on('close', () => ended.resolve());
  socket.terminate();
  await ended.promise;
});

test('a refusal is told with its code and its wait, and its clock is learned', async () => {
  const controllerTime = Date.now() + 86_400_000;
  const { dial, controllerClock } = await stage(
    refuse(
      401,
      JSON.stringify({
        error: 'The clock of this device is wrong',
        code: 'clock_skew',
        detail: { controller_time: controllerTime, retry_after_ms: 0 },
        request_id: 'r1',
      }),
    ),
  );
  const error = await dial(never).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(DialRefused);
  expect(error).toMatchObject({ code: 'clock_skew', retryAfterMs: 0, controllerTime });
  expect(Math.abs(controllerClock.now() - controllerTime)).toBeLessThan(5_000);
});

test('whatever else answers is named by its status', async () => {
  const { dial } = await stage(refuse(502, '<html>Bad gateway</html>'));
  await expect(dial(never)).rejects.toMatchObject({ code: 'http_502' });
  expect(parseRefusal(200, '{"hello": 1}')).toMatchObject({ code: 'http_200' });
});

test('a controller that never answers the upgrade is given up', async () => {
  const { dial } = await stage(() => undefined, 50);
  await expect(dial(never)).rejects.toThrow(/handshake/i);
});

test('nobody listening is an error, not a refusal', async () => {
  const { dial } = await stage(() => undefined);
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  const error = await dial(never).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  expect(error).not.toBeInstanceOf(DialRefused);
});

test('an abort ends a dial in progress', async () => {
  const abort = new AbortController();
  const { dial } = await stage(() => abort.abort(new Error('agent stops')));
  await expect(dial(abort.signal)).rejects.toThrow('agent stops');
});
