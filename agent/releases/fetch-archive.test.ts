import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generateKeyPair } from '../../shared/node/keys.ts';
import { minisignPublicKey, parseMinisignKey, parseMinisignSignature } from '../../shared/node/minisign.ts';
import { systemClock, systemRandom } from '../../shared/node/system-clock.ts';
import { signRelease } from '../../test/harness/signed-release.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { fail, TransferController } from '../../test/harness/transfer-controller.ts';
import { ControllerClock } from '../link/controller-clock.ts';
import { HttpTransfers } from '../link/transfers.ts';
import { downloadIn, fetchArchive } from './fetch-archive.ts';

const archive = randomBytes(600_000);
const signer = generateKeyPair().privateKey;
const release = {
  signed: parseMinisignSignature(signRelease(archive, {}, signer)),
  keys: [parseMinisignKey(minisignPublicKey(signer))],
};
const never = new AbortController().signal;

let folder: { path: string } & Disposable;
let controller: TransferController;
/** Of every request: the range that it asked for. */
let ranges: (string | undefined)[];
let sha256: string;

beforeEach(async () => {
  folder = temporaryFolder('fetch-archive');
  controller = await TransferController.start();
  sha256 = controller.keep(archive);
  ranges = [];
  controller.fault = ({ headers }) => {
    ranges.push(headers.range);
    return false;
  };
});
afterEach(async () => {
  folder[Symbol.dispose]();
  await controller[Symbol.asyncDispose]();
});

const path = () => downloadIn(folder.path, sha256);

/** One life of the process that fetches. */
async function fetch(signal = never, progress: (bytes: number) => void = () => undefined): Promise<void> {
  using transfers = new HttpTransfers({
    ...{ url: controller.url, controllerId: controller.controllerId, deviceId: controller.deviceId },
    ...{ keys: controller.deviceKeys, controllerClock: new ControllerClock(systemClock) },
    ...{ random: systemRandom, clock: systemClock, limits: { maxFailures: 1 } },
  });
  await fetchArchive(
    path(),
    { code: 'aB3dE6gH', sha256, bytes: archive.length },
    { release, download: (...asked) => transfers.download(...asked), signal, progress },
  );
}
const isThere = () => readFileSync(path()).equals(archive);

test('what an earlier process brought is not asked for again', async () => {
  const killed = new AbortController();
  const first = fetch(killed.signal, (bytes) => {
    if (bytes > 100_000) killed.abort(new Error('killed'));
  });
  await expect(first).rejects.toThrow('killed');
  const held = statSync(path()).size;
  expect(held).toBeGreaterThan(100_000);
  expect(held).toBeLessThan(archive.length);

  const told: number[] = [];
  await fetch(never, (bytes) => void told.push(bytes));
  expect(isThere()).toBe(true);
  expect(ranges).toEqual([undefined, `bytes=${held}-`]);
  expect(told[0]).toBeGreaterThan(held);
});

test('an archive that is whole is asked for no more', async () => {
  writeFileSync(path(), archive);
  await fetch();
  expect(ranges).toEqual([]);
});

describe('what does not fit is fetched anew, once', () => {
  test.each<[string, (string | undefined)[], () => void]>([
    [
      'zeros where the power was cut',
      ['bytes=300000-', undefined],
      () => writeFileSync(path(), Buffer.alloc(300_000)),
    ],
    ['a whole file of something else', [undefined], () => writeFileSync(path(), randomBytes(archive.length))],
    [
      'more than there should be',
      [undefined],
      () => (writeFileSync(path(), archive), appendFileSync(path(), 'x')),
    ],
    ['nothing at all', [undefined], () => writeFileSync(path(), '')],
  ])('%s', async (_what, asked, leave) => {
    leave();
    await fetch();
    expect(isThere()).toBe(true);
    expect(ranges).toEqual(asked);
  });

  test('and no more often, when the controller has something else', async () => {
    controller.blobs.set(sha256, randomBytes(archive.length));
    writeFileSync(path(), Buffer.alloc(1000));
    await expect(fetch()).rejects.toMatchObject({ code: 'rejected_fetch' });
    expect(ranges).toEqual(['bytes=1000-', undefined]);
    expect(existsSync(path())).toBe(false);
  });
});

test('what came before the controller went away is kept for the next time', async () => {
  writeFileSync(path(), archive);
  truncateSync(path(), 200_000);
  controller.fault = (_request, response) => {
    fail(response, 503, 'unavailable', 'down');
    return true;
  };
  await expect(fetch()).rejects.toMatchObject({ code: 'rejected_fetch' });
  expect(statSync(path()).size).toBe(200_000);
});

test('a server that does not know ranges costs the bytes again, and no more', async () => {
  writeFileSync(path(), archive.subarray(0, 200_000));
  controller.fault = ({ headers }) => {
    ranges.push(headers.range);
    delete headers.range;
    return false;
  };
  await fetch();
  expect(isThere()).toBe(true);
  expect(ranges).toEqual(['bytes=200000-']);
});

test('every release has a place of its own to come to', () => {
  expect(downloadIn(folder.path, sha256)).toBe(join(folder.path, `download-${sha256}`));
});
