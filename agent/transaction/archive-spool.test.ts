import { createHash, randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { Spool } from './archive-spool.ts';

const mib = 1024 * 1024;
const never = new AbortController().signal;

function stage() {
  const folder = temporaryFolder('spool');
  const path = join(folder.path, 'spool');
  return { path, spool: new Spool(path), [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

/** A copy: pieces are valid only until the next is asked for. */
async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const piece of pieces) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}

test('what does not wait long never touches the disk, and its memory is given back', async () => {
  using at = stage();
  let freed = 0;
  for (let round = 0; round < 40; round += 1) {
    await at.spool.append(Buffer.alloc(mib, round), () => (freed += 1));
    await collect(at.spool.read(round * mib, (round + 1) * mib));
    at.spool.letGo((round + 1) * mib);
  }
  expect(freed).toBe(40);
  expect(existsSync(at.path)).toBe(false);
  expect([at.spool.holds(39 * mib), at.spool.holds(40 * mib), at.spool.holds(41 * mib)]).toEqual([
    false,
    true,
    false,
  ]);
});

test('what a slow line leaves over waits on the disk, and comes out as it went in, from any place', async () => {
  using at = stage();
  const bytes = randomBytes(40 * mib);
  let freed = 0;
  for (let from = 0; from < bytes.length; from += mib) {
    await at.spool.append(Buffer.from(bytes.subarray(from, from + mib)), () => (freed += 1));
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  at.spool.end(sha256);
  expect(freed).toBe(24);
  expect(statSync(at.path).mode & 0o777).toBe(0o600);
  expect(await at.spool.ready(0, never)).toBe(bytes.length);
  for (const [from, to] of [
    [0, bytes.length],
    [15 * mib + 7, 17 * mib + 3],
    [39 * mib, 40 * mib],
  ] as const) {
    expect((await collect(at.spool.read(from, to))).equals(bytes.subarray(from, to))).toBe(true);
  }
  at.spool.letGo(bytes.length);
  expect(await at.spool.ready(bytes.length, never)).toBe(0);
  expect(at.spool.proof()).toEqual({ size: bytes.length, sha256 });
  expect(freed).toBe(40);
  await at.spool[Symbol.asyncDispose]();
  expect(existsSync(at.path)).toBe(false);
});

test('bytes that nobody was shown are not held by anybody: another try left them', async () => {
  using at = stage();
  await at.spool.append(Buffer.alloc(mib), () => undefined);
  expect([at.spool.holds(0), at.spool.holds(100)]).toEqual([true, false]);
});

test('who makes and who sends learn of the other’s end', async () => {
  using at = stage();
  const waiting = at.spool.ready(0, never);
  at.spool.fail(new Error('the line is dead'));
  await expect(waiting).rejects.toThrow('the line is dead');
  await expect(at.spool.append(Buffer.alloc(1), () => undefined)).rejects.toThrow('the line is dead');
  using other = stage();
  const abort = new AbortController();
  const given = other.spool.ready(0, abort.signal);
  abort.abort(new Error('cancelled'));
  await expect(given).rejects.toThrow('cancelled');
});
