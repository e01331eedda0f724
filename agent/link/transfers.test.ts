import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { z } from 'zod';
import type { Clock } from '../../shared/clock.ts';
import { systemClock, systemRandom } from '../../shared/node/system-clock.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { fail, type Fault, TransferController } from '../../test/harness/transfer-controller.ts';
import type { Transfers } from '../handlers/transfers.ts';
import { ControllerClock } from './controller-clock.ts';
import { HttpTransfers } from './transfers.ts';

const code = 'aB3dE6gH';
const never = new AbortController().signal;
/** Waits pass a hundred times as fast. */
const hasty: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) };

async function stage(fault?: Fault) {
  const controller = await TransferController.start();
  if (fault) controller.fault = fault;
  const controllerClock = new ControllerClock(systemClock);
  const transfers = new HttpTransfers({
    url: controller.url,
    controllerId: controller.controllerId,
    deviceId: controller.deviceId,
    keys: controller.deviceKeys,
    controllerClock,
    random: systemRandom,
    clock: hasty,
    limits: { windowMs: 20_000, maxFailures: 4, pieceBytes: 1_000_000 },
  });
  const folder = temporaryFolder('transfers');
  return {
    controller,
    controllerClock,
    transfers: transfers satisfies Transfers,
    folder: folder.path,
    async [Symbol.asyncDispose]() {
      transfers[Symbol.dispose]();
      folder[Symbol.dispose]();
      await controller[Symbol.asyncDispose]();
    },
  };
}
type Stage = Awaited<ReturnType<typeof stage>>;

const fetch = ({ transfers }: Stage, sha256: string, signal = never, maxBytes = 10_000_000) =>
  buffer(transfers.download({ code, sha256, maxBytes }, signal));

/** Only for the first requests that match. */
function times(count: number, fault: (request: IncomingMessage, response: ServerResponse) => void): Fault {
  let left = count;
  return (request, response) => {
    if (left === 0) return false;
    left -= 1;
    fault(request, response);
    return true;
  };
}

/** Sends the head and a part of the body, then the connection breaks. */
const breakAfter =
  (bytes: Buffer, length: number) => (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': length });
    response.write(bytes, () => response.destroy());
  };

test('a blob comes whole, each request with a token of its own over one connection', async () => {
  await using at = await stage();
  const blob = randomBytes(300_000);
  const sha256 = at.controller.keep(blob);
  for (let round = 0; round < 3; round += 1) expect((await fetch(at, sha256)).equals(blob)).toBe(true);
  expect(await fetch(at, at.controller.keep(Buffer.alloc(0)))).toHaveLength(0);
});

test('a download goes on behind the bytes that were handed over', async () => {
  await using at = await stage();
  const blob = randomBytes(500_000);
  const sha256 = at.controller.keep(blob);
  const ranges: (string | undefined)[] = [];
  at.controller.fault = (request, response) => {
    ranges.push(request.headers.range);
    if (ranges.length > 1) return false;
    breakAfter(blob.subarray(0, 200_000), blob.length)(request, response);
    return true;
  };
  expect((await fetch(at, sha256)).equals(blob)).toBe(true);
  expect(ranges).toEqual([undefined, 'bytes=200000-']);
});

test('a server that does not know ranges costs the bytes again, and no more', async () => {
  await using at = await stage();
  const blob = randomBytes(100_000);
  const sha256 = at.controller.keep(blob);
  const parts = [blob.subarray(0, 40_000), blob];
  at.controller.fault = times(2, (request, response) => {
    const part = parts.shift() ?? blob;
    if (part.length < blob.length) return breakAfter(part, blob.length)(request, response);
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(part);
  });
  expect((await fetch(at, sha256)).equals(blob)).toBe(true);
});

const page = '<html>Please log in to the hotel</html>';
test.each<[string, RegExp, (request: IncomingMessage, response: ServerResponse, blob: Buffer) => void]>([
  [
    'HTTP 500 with the blob as its body',
    /HTTP 500/,
    (_r, response, blob) => response.writeHead(500, { 'content-type': 'application/octet-stream' }).end(blob),
  ],
  [
    'HTTP 502',
    /HTTP 502/,
    (_r, response) => response.writeHead(502, { 'content-type': 'text/html' }).end(page),
  ],
  [
    'a captive portal',
    /text\/html/,
    (_r, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(page),
  ],
  [
    'a redirect',
    /HTTP 302/,
    (_r, response) => response.writeHead(302, { location: 'http://192.0.2.1/login' }).end(),
  ],
  [
    'a short body',
    /SHA-256/,
    (_r, response, blob) =>
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(blob.subarray(0, 1000)),
  ],
  [
    'a body that always breaks off',
    /aborted|cut off|hang up|ECONNRESET/,
    (request, response, blob) => breakAfter(blob.subarray(0, 10), blob.length)(request, response),
  ],
  [
    'a body that hardly moves',
    /too few/,
    (_r, response, blob) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      response.write(blob.subarray(0, 3));
    },
  ],
  ['no answer', /too few/, () => undefined],
  [
    'other bytes',
    /SHA-256/,
    (_r, response, blob) =>
      response
        .writeHead(200, { 'content-type': 'application/octet-stream' })
        .end(Buffer.from(blob).reverse()),
  ],
  [
    'more bytes than it may have',
    /more than the 5000 bytes/,
    (_r, response, blob) =>
      response
        .writeHead(200, { 'content-type': 'application/octet-stream' })
        .end(Buffer.concat([blob, blob])),
  ],
  [
    'a compressed body',
    /as gzip/,
    (_r, response, blob) =>
      response
        .writeHead(200, { 'content-type': 'application/octet-stream', 'content-encoding': 'gzip' })
        .end(blob),
  ],
  [
    'a part that was not asked for',
    /content range/,
    (_r, response, blob) =>
      response
        .writeHead(206, { 'content-type': 'application/octet-stream', 'content-range': 'bytes 7-4999/5000' })
        .end(blob.subarray(7)),
  ],
  [
    'a blob that the task may not read',
    /not_found/,
    (_r, response) => fail(response, 404, 'not_found', 'no such blob'),
  ],
])('%s is rejected_fetch in the end', async (_what, says, answer) => {
  const blob = randomBytes(5000);
  await using at = await stage((request, response) => {
    answer(request, response, blob);
    return true;
  });
  await expect(fetch(at, at.controller.keep(blob), never, 5000)).rejects.toMatchObject({
    code: 'rejected_fetch',
    message: expect.stringMatching(says),
  });
});

test('what cannot pass is not tried again, what may pass is, a few times', async () => {
  const tried = async (fault: Fault) => {
    await using at = await stage(fault);
    await expect(fetch(at, '0'.repeat(64))).rejects.toMatchObject({ code: 'rejected_fetch' });
    return at.controller.asked.length;
  };
  expect(await tried(() => false)).toBe(1); // 404
  expect(await tried((_request, response) => (response.writeHead(302, { location: '/' }).end(), true))).toBe(
    1,
  );
  expect(await tried((_request, response) => (response.writeHead(503).end(), true))).toBe(4);
  expect(await tried((_request, response) => (response.destroy(), true))).toBeGreaterThanOrEqual(4);
});

test('a wait that the controller names is kept', async () => {
  await using at = await stage();
  const sha256 = at.controller.keep(Buffer.from('blob'));
  at.controller.fault = times(1, (_request, response) =>
    response.writeHead(503, { 'retry-after': '30' }).end(),
  );
  const started = performance.now();
  await fetch(at, sha256);
  expect(performance.now() - started).toBeGreaterThan(295); // 30 s, a hundred times as fast
});

test('learns the clock of the controller from its refusal, and asks again at once', async () => {
  await using at = await stage();
  const sha256 = at.controller.keep(Buffer.from('blob'));
  const there = Date.now() + 30_000;
  at.controller.fault = times(1, (_request, response) =>
    fail(response, 401, 'clock_skew', 'your clock', { controller_time: there, retry_after_ms: 500_000 }),
  );
  expect((await fetch(at, sha256)).toString()).toBe('blob');
  expect(Math.abs(at.controllerClock.now() - there)).toBeLessThan(5000);
});

test('an abort ends a transfer with its reason', async () => {
  const abort = new AbortController();
  await using at = await stage(() => {
    abort.abort(new Error('cancelled by a person'));
    return true;
  });
  await expect(fetch(at, '0'.repeat(64), abort.signal)).rejects.toThrow('cancelled by a person');
  await expect(at.transfers.post('/x', {}, z.object({}), abort.signal)).rejects.toThrow('by a person');
});

function fileOf(at: Stage, bytes: Buffer) {
  const file = join(at.folder, 'file');
  writeFileSync(file, bytes);
  return { code, name: 'archive' as const, file, size: bytes.length, sha256: at.controller.keep(bytes) };
}

test('a file arrives whole, in several requests when it is large, and says how far it is', async () => {
  await using at = await stage();
  const bytes = randomBytes(2_500_000);
  const seen: number[] = [];
  await at.transfers.upload({ ...fileOf(at, bytes), progress: (sent) => seen.push(sent) }, never);
  expect(at.controller.uploads.get('archive')?.equals(bytes)).toBe(true);
  expect(seen).toEqual([1_000_000, 2_000_000, 2_500_000]);
});

test('an upload goes on where the connection broke', async () => {
  await using at = await stage();
  const bytes = randomBytes(3_000_000);
  at.controller.fault = (request) => {
    const isFirst = at.controller.asked.filter((one) => one.startsWith('PATCH')).length === 1;
    if (request.method !== 'PATCH' || !isFirst) return false;
    let came = 0;
    request.on('data', (chunk: Buffer) => {
      came += chunk.length;
      if (came > 500_000) request.destroy();
    });
    return false;
  };
  await at.transfers.upload(fileOf(at, bytes), never);
  expect(at.controller.uploads.get('archive')?.equals(bytes)).toBe(true);
  expect(at.controller.asked.filter((one) => one.startsWith('GET'))).toHaveLength(2);
});

test('bytes that another file left at the controller are brought anew, once', async () => {
  await using at = await stage();
  const bytes = randomBytes(10_000);
  for (const left of [randomBytes(500), randomBytes(10_000), randomBytes(20_000)]) {
    at.controller.uploads.set('archive', left);
    await at.transfers.upload(fileOf(at, bytes), never);
    expect(at.controller.uploads.get('archive')?.equals(bytes)).toBe(true);
  }
});

test('an upload that the controller will never take fails with its words, without sending it', async () => {
  await using at = await stage();
  at.controller.maxUploadBytes = 100;
  await expect(at.transfers.upload(fileOf(at, randomBytes(1000)), never)).rejects.toMatchObject({
    code: 'transfer_failed',
    message: expect.stringContaining('at most 100 bytes'),
  });
  expect(at.controller.asked.some((one) => one.startsWith('PATCH'))).toBe(false);

  at.controller.maxUploadBytes = 1_000_000_000;
  at.controller.fault = (request, response) => {
    if (request.method !== 'PATCH') return false;
    fail(response, 404, 'not_found', 'the task is over');
    return true;
  };
  await expect(at.transfers.upload(fileOf(at, randomBytes(5_000_000)), never)).rejects.toMatchObject({
    code: 'transfer_failed',
  });
});

test('a refusal is heard although the rest of the file can no longer be sent', async () => {
  await using at = await stage();
  at.controller.fault = (request, response) => {
    if (request.method !== 'PATCH') return false;
    request.resume(); // a server that closes at once takes its own answer away
    response.writeHead(413, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ error: 'the task allows less', code: 'payload_too_large', request_id: 'r' }),
    );
    return true;
  };
  await expect(at.transfers.upload(fileOf(at, randomBytes(9_000_000)), never)).rejects.toMatchObject({
    code: 'transfer_failed',
    message: expect.stringContaining('the task allows less (payload_too_large)'),
  });
});

test('a file that was cut meanwhile is not sent', async () => {
  await using at = await stage();
  const request = fileOf(at, randomBytes(1000));
  writeFileSync(request.file, 'short');
  await expect(at.transfers.upload(request, never)).rejects.toThrow('has 5 bytes, expected 1000');
});

test('secrets are fetched as they are, and only as octets', async () => {
  await using at = await stage();
  at.controller.secrets = Buffer.from('age-encryption.org/v1…');
  expect(await at.transfers.secrets(code, never)).toEqual(at.controller.secrets);
  at.controller.fault = (_request, response) => (
    response.writeHead(200, { 'content-type': 'text/html' }).end(page), true
  );
  await expect(at.transfers.secrets(code, never)).rejects.toMatchObject({ code: 'rejected_fetch' });
});

test('a report is believed only when its answer is what it should be', async () => {
  await using at = await stage();
  const answers = ['{"version": "three"}', 'gone', '[]'];
  at.controller.fault = (_request, response) => (
    response.writeHead(200, { 'content-type': 'application/json' }).end(answers.shift()), true
  );
  const Answer = z.object({ version: z.int() });
  for (let round = 0; round < 3; round += 1) {
    await expect(at.transfers.post('/api/x', {}, Answer, never)).rejects.toMatchObject({
      code: 'transfer_failed',
    });
  }
});
