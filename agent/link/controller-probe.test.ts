import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { generateKeyPair, signText } from '../../shared/node/keys.ts';
import { systemClock, systemRandom } from '../../shared/node/system-clock.ts';
import { freePort } from '../../test/harness/free-port.ts';
import { selfSigned } from '../../test/harness/self-signed.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { fail, TransferController } from '../../test/harness/transfer-controller.ts';
import type { ControllerProbe } from '../handlers/transfers.ts';
import { ControllerClock } from './controller-clock.ts';
import { ControllerKeys } from '../../shared/node/controller-keys.ts';
import { HttpControllerProbe } from './controller-probe.ts';

afterEach(() => vi.unstubAllEnvs());
const never = new AbortController().signal;
const transaction = 'transaction-1';

function probeOf(
  controller: TransferController,
  url = controller.url,
): ControllerProbe & { clock: ControllerClock } {
  const clock = new ControllerClock(systemClock);
  const probe = new HttpControllerProbe({
    url,
    controllerId: controller.controllerId,
    controllerKeys: new ControllerKeys({
      controllerId: controller.controllerId,
      pinned: controller.keys.publicKey,
      now: () => systemClock.now(),
    }),
    deviceId: controller.deviceId,
    keys: controller.deviceKeys,
    controllerClock: clock,
    random: systemRandom,
    clock: systemClock,
  });
  return Object.assign(probe, { clock });
}
const attempt = (probe: ControllerProbe, timeoutMs = 5000) => probe.attempt(transaction, timeoutMs, never);

test('an honest answer over a new connection each time is a success', async () => {
  await using controller = await TransferController.start();
  const probe = probeOf(controller);
  expect(probe.address).toEqual({ host: '127.0.0.1', port: controller.port });
  for (let round = 1; round <= 3; round += 1) {
    expect(await attempt(probe)).toMatchObject({ ok: true, phase: 'done' });
    expect(controller.connections).toBe(round);
  }
});

test('over TLS too, when the certificate is trusted, and with a name that is looked up', async () => {
  const tls = selfSigned({ name: 'localhost', expiresAt: Date.now() + 86_400_000 });
  await using controller = await TransferController.start(tls);
  const probe = probeOf(controller);
  expect(await attempt(probe)).toMatchObject({
    ok: false,
    phase: 'tls',
    error: expect.stringMatching(/self-signed/),
  });
  using folder = temporaryFolder('trust');
  const trusted = join(folder.path, 'ca.pem');
  vi.stubEnv('NODE_EXTRA_CA_CERTS', trusted);
  writeFileSync(trusted, tls.cert);
  expect(await attempt(probe)).toMatchObject({ ok: true, phase: 'done' });
  const other = probeOf(controller, controller.url.replace('localhost', '127.0.0.1'));
  expect(await attempt(other)).toMatchObject({ ok: false, phase: 'tls' });

  rmSync(trusted); // what this process has read once does not count
  expect(await attempt(probe)).toMatchObject({ ok: false, phase: 'tls' });
});

test('question and answer are larger than the largest packets, and the answer brings back what was sent', async () => {
  await using controller = await TransferController.start();
  let length = 0;
  controller.fault = (_request, _response, body) => {
    length = body.length;
    return false;
  };
  expect(await attempt(probeOf(controller))).toMatchObject({ ok: true });
  expect(length).toBeGreaterThan(2 * 9000);

  controller.fault = (_request, response, body) => {
    const { statement, signature } = controller.probeAnswer(body);
    json(response, { statement, signature });
    return true;
  };
  expect(await attempt(probeOf(controller))).toMatchObject({
    ok: false,
    phase: 'signature',
    error: expect.stringContaining('does not bring back'),
  });
});

const json = (response: ServerResponse, value: unknown) =>
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
type Answer = (
  controller: TransferController,
  response: ServerResponse,
  body: Buffer,
  request: IncomingMessage,
) => void;

test.each<[string, string, RegExp, Answer]>([
  [
    'a 200 without a signature',
    'answer',
    /signature/,
    (at, response, body) => json(response, { statement: at.probeAnswer(body).statement }),
  ],
  [
    'an empty 200',
    'answer',
    /JSON|json/,
    (_at, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(),
  ],
  [
    'a signature by another key',
    'signature',
    /not signed by the controller/,
    (at, response, body) => json(response, at.probeAnswer(body, {}, generateKeyPair())),
  ],
  [
    'a changed statement',
    'signature',
    /not signed by the controller/,
    (at, response, body) => {
      const { statement, signature } = at.probeAnswer(body);
      json(response, { statement: `${statement} `, signature });
    },
  ],
  [
    'an answer for another transaction',
    'signature',
    /another transaction/,
    (at, response, body) => json(response, at.probeAnswer(body, { transaction: 'other' })),
  ],
  [
    'an answer for another device',
    'signature',
    /another device/,
    (at, response, body) => json(response, at.probeAnswer(body, { device: 'other' })),
  ],
  [
    'an answer with another nonce',
    'signature',
    /another nonce/,
    (at, response, body) => json(response, at.probeAnswer(body, { nonce: 'an earlier one' })),
  ],
  [
    'something else that the controller signed',
    'signature',
    /no answer to a probe/,
    (at, response, body) => json(response, at.probeAnswer(body, { purpose: 'order' })),
  ],
  [
    'signed text that is no JSON',
    'signature',
    /JSON/,
    (at, response) => json(response, { statement: 'yes', signature: signText('yes', at.keys.privateKey) }),
  ],
  [
    'a 502',
    'answer',
    /HTTP 502/,
    (_at, response) => response.writeHead(502, { 'content-type': 'text/html' }).end('Bad gateway'),
  ],
  [
    'a captive portal',
    'answer',
    /text\/html/,
    (_at, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Log in</html>'),
  ],
  [
    'a redirect',
    'answer',
    /HTTP 302/,
    (_at, response) => response.writeHead(302, { location: '/login' }).end(),
  ],
  [
    'a valid answer under 502',
    'answer',
    /HTTP 502/,
    (at, response, body) =>
      response
        .writeHead(502, { 'content-type': 'application/json' })
        .end(JSON.stringify(at.probeAnswer(body))),
  ],
  ['a connection that is cut', 'answer', /hang up|ECONNRESET/, (_at, response) => response.destroy()],
])('%s is no success', async (_what, phase, error, answer) => {
  await using controller = await TransferController.start();
  controller.fault = (request, response, body) => {
    answer(controller, response, body, request);
    return true;
  };
  expect(await attempt(probeOf(controller))).toMatchObject({
    ok: false,
    phase,
    error: expect.stringMatching(error),
  });
});

test('yesterday’s answer, replayed, is no success', async () => {
  await using controller = await TransferController.start();
  const probe = probeOf(controller);
  let kept: unknown;
  controller.fault = (_request, response, body) => {
    kept ??= controller.probeAnswer(body);
    json(response, kept);
    return true;
  };
  expect(await attempt(probe)).toMatchObject({ ok: true });
  expect(await attempt(probe)).toMatchObject({ ok: false, phase: 'signature' });
});

test('says how far it came: no name, no connection, no answer in time', async () => {
  await using controller = await TransferController.start();
  expect(await attempt(probeOf(controller, 'http://controller.invalid:1'))).toMatchObject({
    ok: false,
    phase: 'dns',
  });
  const closed = `http://127.0.0.1:${await freePort()}`;
  expect(await attempt(probeOf(controller, closed))).toMatchObject({ ok: false, phase: 'tcp' });

  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  expect(await attempt(probeOf(controller, `http://127.0.0.1:${port}`), 100)).toMatchObject({
    ok: false,
    phase: 'answer',
    error: 'no answer within 100 ms',
  });
  expect(await attempt(probeOf(controller, `https://127.0.0.1:${port}`), 100)).toMatchObject({
    phase: 'tls',
  });
  silent.close();
});

test('learns the controller’s clock, so that the next attempt is let in', async () => {
  await using controller = await TransferController.start();
  const there = Date.now() + 7_200_000;
  controller.fault = (_request, response) => {
    fail(response, 401, 'clock_skew', 'your clock is wrong', { controller_time: there, retry_after_ms: 0 });
    return true;
  };
  const probe = probeOf(controller);
  expect(await attempt(probe)).toMatchObject({
    ok: false,
    phase: 'answer',
    error: expect.stringContaining('clock_skew'),
  });
  expect(Math.abs(probe.clock.now() - there)).toBeLessThan(5000);
});

test('only an abort is thrown', async () => {
  await using controller = await TransferController.start();
  const abort = new AbortController();
  controller.fault = () => {
    abort.abort(new Error('the agent stops'));
    return true;
  };
  await expect(probeOf(controller).attempt(transaction, 5000, abort.signal)).rejects.toThrow(
    'the agent stops',
  );
});
