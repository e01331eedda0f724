import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../harness/temporary-folder.ts';
import { DiskClient } from './disk-client.ts';
import { request } from './disk-protocol.ts';
import { DiskServer } from './disk-server.ts';
import { VolatileDisk, type WriteCache } from './volatile-disk.ts';

const size = 16 * 4096;

/** A disk of 64 KiB that is served, and a client of it. */
async function servedDisk(options: { maxCached?: number } = {}) {
  await using undo = new AsyncDisposableStack();
  const folder = undo.use(temporaryFolder('disk'));
  const image = join(folder.path, 'disk.img');
  writeFileSync(image, Buffer.alloc(size));
  const disk = undo.use(new VolatileDisk(image, options));
  const path = join(folder.path, 'socket');
  const server = undo.use(await DiskServer.listen(disk, path));
  const client = undo.use(await DiskClient.connect(path));
  const held = undo.move();
  return {
    ...{ image, disk, path, server, client },
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  };
}

const range = { at: fc.integer({ min: 0, max: 127 }), sectors: fc.integer({ min: 1, max: 20 }) };
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ ...range, write: fc.integer({ min: 1, max: 255 }), durable: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ ...range, read: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.constant('flush' as const) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** Does the steps, and the same to `written` and `safe`: what was written, and what no power cut may take. */
async function play(
  client: DiskClient,
  steps: Step[],
  model: { written: Buffer; safe: Buffer },
): Promise<void> {
  for (const one of steps) {
    if (one === 'flush') {
      await client.flush();
      model.written.copy(model.safe);
      continue;
    }
    const offset = one.at * 512;
    const length = Math.min(one.sectors * 512, size - offset);
    if ('read' in one) {
      expect(await client.read(offset, length)).toEqual(model.written.subarray(offset, offset + length));
      continue;
    }
    await client.write(offset, Buffer.alloc(length, one.write), one.durable);
    model.written.fill(one.write, offset, offset + length);
    if (one.durable) model.safe.fill(one.write, offset, offset + length);
  }
}

async function afterCut(steps: Step[], cache: WriteCache) {
  await using served = await servedDisk();
  const model = { written: Buffer.alloc(size), safe: Buffer.alloc(size) };
  await play(served.client, steps, model);
  const account = served.disk.cut(cache);
  const left = readFileSync(served.image);
  expect(await served.client.read(0, size)).toEqual(left);
  return { ...model, left, account };
}

const stories = fc.array(step, { maxLength: 30 });
const runs = { numRuns: 60 };

test('after a power cut that loses the write cache, exactly what was flushed is there', async () => {
  await fc.assert(
    fc.asyncProperty(stories, async (steps) => {
      const { left, safe, account } = await afterCut(steps, 'lose');
      expect(left).toEqual(safe);
      expect(account).toMatchObject({ kept: 0, torn: 0 });
    }),
    runs,
  );
});

test('after one that keeps it, exactly what was written is there', async () => {
  await fc.assert(
    fc.asyncProperty(stories, async (steps) => {
      const { left, written } = await afterCut(steps, 'keep');
      expect(left).toEqual(written);
    }),
    runs,
  );
});

test('after one that tears it, each sector is as it was written last or as it was safe, and the seed decides which', async () => {
  await fc.assert(
    fc.asyncProperty(stories, fc.string(), async (steps, tear) => {
      const { left, written, safe, account } = await afterCut(steps, { tear });
      for (let at = 0; at < size; at += 512) {
        const sector = left.subarray(at, at + 512);
        const choices = [written, safe].map((one) => one.subarray(at, at + 512));
        expect(choices.some((one) => one.equals(sector))).toBe(true);
      }
      expect(await afterCut(steps, { tear })).toMatchObject({ left, account });
    }),
    runs,
  );
});

test('tearing keeps some blocks, loses some, and splits some', async () => {
  await using served = await servedDisk();
  await served.client.write(0, Buffer.alloc(size, 7));
  const { kept, torn, lost } = served.disk.cut({ tear: 'any' });
  expect([kept, torn, lost].every((count) => count > 0)).toBe(true);
  expect(kept + torn + lost).toBe(16);
});

test('what a cut would leave is shown beside, and the disk goes on', async () => {
  await using served = await servedDisk();
  await served.client.write(0, Buffer.alloc(4096, 1));
  await served.client.flush();
  await served.client.write(0, Buffer.alloc(4096, 2));
  const copy = `${served.image}.copy`;
  writeFileSync(copy, readFileSync(served.image));
  expect(served.disk.cutInto(copy, 'lose')).toEqual({ kept: 0, torn: 0, lost: 1 });
  expect(readFileSync(copy)[0]).toBe(1);
  served.disk.cutInto(copy, 'keep');
  expect(readFileSync(copy)[0]).toBe(2);
  expect((await served.client.read(0, 1))[0]).toBe(2);
  expect(readFileSync(served.image)[0]).toBe(1);
});

test('a full write cache gives its oldest blocks to the disk, unasked', async () => {
  await using served = await servedDisk({ maxCached: 2 });
  for (const block of [0, 1, 2]) await served.client.write(block * 4096, Buffer.alloc(4096, block + 1));
  served.disk.cut('lose');
  const left = readFileSync(served.image);
  expect([left[0], left[4096], left[8192]]).toEqual([1, 0, 0]);
});

test('a client learns the size, and is told when it asks beyond it', async () => {
  await using served = await servedDisk();
  expect(served.client.size).toBe(size);
  await expect(served.client.read(size, 512)).rejects.toThrow('the disk says 22');
  await expect(served.client.write(size - 512, Buffer.alloc(1024))).rejects.toThrow('the disk says 22');
  expect(await served.client.read(size - 512, 512)).toEqual(Buffer.alloc(512));
});

test('a client that breaks the protocol is put out, and others are served', async () => {
  await using served = await servedDisk();
  for (const nonsense of [
    Buffer.alloc(28, 0xee),
    request.make({ type: request.read, durable: false, handle: 1n, offset: 0, length: 1 << 30 }),
  ]) {
    using other = await DiskClient.connect(served.path);
    other.send(nonsense);
    await other.closed();
  }
  expect(await served.client.read(0, 512)).toEqual(Buffer.alloc(512));
});

test('a server that stopped answers nothing more, not even what it has received', async () => {
  await using served = await servedDisk();
  const late = served.client.write(0, Buffer.alloc(4096, 9), true);
  served.server.stop();
  await expect(late).rejects.toThrow();
  expect(readFileSync(served.image)[0]).toBe(0);
});
