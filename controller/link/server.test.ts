import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { promisify } from 'node:util';
import { text } from 'node:stream/consumers';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { generateKeyPair, type KeyPair } from '../../shared/node/keys.ts';
import { silentLogger } from '../../shared/node/logger.ts';
import { linkPath } from '../../shared/protocol/enrol.ts';
import { closeCodes } from '../../shared/protocol/version.ts';
import type { DeviceStatus } from '../../shared/api/devices.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import { serveLinks } from './server.ts';

let controller: CoreUnderTest;
let server: Server;
let stop: () => void;
let keys: KeyPair;
let deviceId: string;

beforeEach(async () => {
  controller = await CoreUnderTest.start({ admissionsPerSecond: 10, admissionsBurst: 10 });
  server = createServer();
  stop = serveLinks({
    server,
    admission: controller.core.admission,
    sessions: async () => {},
    openLink: (device, socket) => controller.core.openLink(device, socket),
    clock: controller.clock,
    log: silentLogger(),
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  keys = generateKeyPair();
  deviceId = await addDevice('ENABLED');
});
afterEach(async () => {
  await controller[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

async function addDevice(status: DeviceStatus, publicKey = keys.publicKey): Promise<string> {
  const id = randomUUID();
  await controller.store.devices.insert({
    id,
    organizationId: controller.organization.id,
    name: `fw-${id.slice(0, 8)}`,
    status,
    publicKey,
    labels: {},
    agentVersion: '0.1.0',
    createdAt: 0,
  });
  return id;
}

interface TokenOver {
  sub?: string;
  aud?: string;
  jti?: string;
  lifeSeconds?: number;
  skewMs?: number;
  key?: KeyPair;
}

const token = (over: TokenOver = {}): Promise<string> => {
  const now = Math.floor((controller.clock.now() + (over.skewMs ?? 0)) / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA' })
    .setSubject(over.sub ?? deviceId)
    .setAudience(over.aud ?? 'controller')
    .setJti(over.jti ?? randomUUID())
    .setIssuedAt(now)
    .setExpirationTime(now + (over.lifeSeconds ?? 50))
    .sign((over.key ?? keys).privateKey);
};

type Dialled = { ws: WebSocket } | { status: number; headers: IncomingMessage['headers']; body: Refused };
interface Refused {
  code: string;
  error: string;
  detail: { controller_time: number; retry_after_ms: number };
  request_id: string;
}

async function dial(authorization: string | undefined, path = linkPath): Promise<Dialled> {
  const { port } = server.address() as AddressInfo;
  const headers = authorization === undefined ? {} : { authorization };
  const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers, perMessageDeflate: false });
  const { promise, resolve, reject } = Promise.withResolvers<Dialled>();
  ws.on('open', () => resolve({ ws }));
  ws.on('unexpected-response', (_request, response) => {
    text(response).then(
      (body) =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: JSON.parse(body) as Refused,
        }),
      reject,
    );
  });
  ws.on('error', reject);
  return promise;
}

async function refusal(authorization: string | undefined, path?: string) {
  const dialled = await dial(authorization, path);
  if ('ws' in dialled) throw new Error('it was let in');
  return dialled;
}

async function open(): Promise<WebSocket> {
  const dialled = await dial(`Bearer ${await token()}`);
  if ('ws' in dialled) return dialled.ws;
  throw new Error(JSON.stringify(dialled.body));
}

describe('an upgrade', () => {
  test('of a device with a good token opens a link', async () => {
    const ws = await open();
    expect(controller.core.status().linksOpen).toBe(1);
    ws.close();
    await once(ws, 'close');
  });

  test.each([
    ['no token', undefined, 'not_authenticated'],
    ['a token that is none', 'Bearer abc', 'not_authenticated'],
    ['another scheme', 'Basic abc', 'not_authenticated'],
  ])('with %s is refused', async (_what, authorization, code) => {
    expect(await refusal(authorization)).toMatchObject({ status: 401, body: { code } });
  });

  test.each<[string, () => TokenOver, number, string]>([
    ['signed by another key', () => ({ key: generateKeyPair() }), 401, 'not_authenticated'],
    ['for another controller', () => ({ aud: 'another' }), 401, 'not_authenticated'],
    ['of an unknown device', () => ({ sub: randomUUID() }), 401, 'not_authenticated'],
    ['by a clock that is behind', () => ({ skewMs: -3_600_000 }), 401, 'clock_skew'],
    ['by a clock that is ahead', () => ({ skewMs: 3_600_000 }), 401, 'clock_skew'],
    ['that lives too long', () => ({ lifeSeconds: 600 }), 401, 'clock_skew'],
  ])('with a token %s is refused', async (_what, over, status, code) => {
    const refused = await refusal(`Bearer ${await token(over())}`);
    expect(refused).toMatchObject({ status, body: { code } });
    expect(refused.body.detail.controller_time).toBe(controller.clock.now());
    expect(refused.headers['x-request-id']).toBe(refused.body.request_id);
  });

  test('with a token that was used is refused', async () => {
    const used = `Bearer ${await token()}`;
    const dialled = await dial(used);
    expect('ws' in dialled).toBe(true);
    expect(await refusal(used)).toMatchObject({ status: 401, body: { code: 'token_replayed' } });
    if ('ws' in dialled) dialled.ws.terminate();
  });

  test.each([
    ['PENDING', 'not_approved'],
    ['DISABLED', 'disabled'],
  ] as const)('of a %s device is refused, and told when to ask again', async (status, code) => {
    await controller.store.devices.setStatus(deviceId, status, 0);
    const refused = await refusal(`Bearer ${await token()}`);
    expect(refused).toMatchObject({ status: 403, body: { code } });
    expect(refused.body.detail.retry_after_ms).toBeGreaterThan(1_000);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(1);
  });

  test('of a device in quarantine is refused with the reason', async () => {
    await controller.store.devices.setQuarantine(deviceId, 'two agents', 0);
    const refused = await refusal(`Bearer ${await token()}`);
    expect(refused).toMatchObject({ status: 403, body: { code: 'quarantined' } });
    expect(refused.body.error).toContain('two agents');
  });

  test('beyond the rate is told when to come back', async () => {
    for (let index = 0; index < 10; index += 1) await refusal('Bearer x');
    const refused = await refusal(`Bearer ${await token()}`);
    expect(refused).toMatchObject({ status: 429, body: { code: 'too_many_requests' } });
    expect(refused.body.detail.retry_after_ms).toBeGreaterThan(0);
    await controller.clock.advance(1_000);
    (await open()).terminate();
  });

  test('elsewhere is not found', async () => {
    expect(await refusal('Bearer x', '/other')).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  test('that is refused is over, also when the caller keeps its side open', async () => {
    const { port } = server.address() as AddressInfo;
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const upgrade = `GET ${linkPath} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
    socket.write(
      `${upgrade}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    );
    expect(await text(socket)).toContain('401 Unauthorized');
    await expect.poll(() => promisify(server.getConnections.bind(server))()).toBe(0);
    socket.destroy();
  });

  test('that is let in while the controller begins to stop opens no link', async () => {
    const authorization = `Bearer ${await token()}`;
    const refused = refusal(authorization);
    await once(server, 'upgrade');
    stop();
    expect(await refused).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(controller.core.status().linksOpen).toBe(0);
  });

  test('while stopping is unavailable', async () => {
    stop();
    expect(await refusal(`Bearer ${await token()}`)).toMatchObject({
      status: 503,
      body: { code: 'unavailable' },
    });
  });
});

test('a frame over 1 MiB closes the link with a code', async () => {
  const ws = await open();
  ws.send('x'.repeat(1_048_577));
  const [code] = (await once(ws, 'close')) as [number];
  expect(code).toBe(closeCodes.frameTooLarge);
});

test('a reason in letters of many bytes closes the link like any other', async () => {
  const hello = (storeId: string) => ({
    type: 'hello',
    protocol: { min: 1, max: 1 },
    agentVersion: '1',
    bootId: 'b',
    instanceId: 'i',
    epoch: 1,
    connection: 1,
    storeId,
    taskTypes: [],
    slots: {},
    tasks: [],
    lastSeq: 0,
    clock: 0,
    factsDigest: '',
  });
  const letters = 'あ'.repeat(64);
  for (const storeId of [letters, 'newer']) {
    const ws = await open();
    ws.send(JSON.stringify(hello(storeId)));
    await once(ws, 'message');
  }
  const ws = await open();
  ws.send(JSON.stringify(hello(letters)));
  const [code, reason] = (await once(ws, 'close')) as [number, Buffer];
  expect(code).toBe(closeCodes.quarantined);
  expect(reason.toString()).toMatch(/^its earlier local database あ+$/);
});

test('a binary frame is no message', async () => {
  const ws = await open();
  ws.send(Buffer.from('{}'));
  const [code] = (await once(ws, 'close')) as [number];
  expect(code).toBe(closeCodes.badFrame);
});

test('frames go both ways, and a close is noticed', async () => {
  const ws = await open();
  const frames: string[] = [];
  ws.on('message', (data) => frames.push((data as Buffer).toString()));
  ws.send('{"type":"unknown.type"}');
  await once(ws, 'message');
  expect(JSON.parse(frames[0] ?? '')).toMatchObject({ type: 'error', code: 'unknown_type' });
  ws.terminate();
  await expect.poll(() => controller.core.status().linksOpen).toBe(0);
});
