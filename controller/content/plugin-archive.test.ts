import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { maxPluginManifestBytes } from '../../shared/plugin.ts';
import { netdiagArchive, netdiagManifest, plainArchive } from '../../test/harness/plugin-archive.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { readPluginManifest } from './plugin-archive.ts';

const signed = { name: 'netdiag', version: '1.0.0' };

let path: string;
beforeEach(() => {
  const folder = temporaryFolder('plugin');
  path = join(folder.path, 'plugin.tar.zst');
  return () => folder[Symbol.dispose]();
});
const read = (archive: Buffer) => {
  writeFileSync(path, archive);
  return readPluginManifest(path, signed);
};

test('the manifest is read with defaults filled in', async () => {
  expect(await read(await netdiagArchive())).toMatchObject({
    ...signed,
    user: 'muster-plugin',
    task_types: { TRACEROUTE: { timeout_seconds: 90, idempotent: false } },
  });
});

test('what stands behind the manifest is not unpacked', async () => {
  const text = JSON.stringify(netdiagManifest());
  const archive = await plainArchive({ 'plugin.json': text, large: 'x'.repeat(64 * 1024 * 1024) });
  expect((await read(archive)).name).toBe('netdiag');
  const cut = archive.subarray(0, archive.length - 100);
  expect((await read(Buffer.from(cut))).name).toBe('netdiag');
});

const manifestText = (over: Record<string, unknown>) => JSON.stringify(netdiagManifest(over));

test.each([
  ['is not compressed', async () => Buffer.from('no archive'), 'expected tar.zst'],
  ['is empty', async () => plainArchive({}), 'it is empty'],
  ['is cut off', async () => (await netdiagArchive()).subarray(0, 40), 'expected tar.zst'],
  [
    'is no tar',
    async () => zstdCompressSync(Buffer.alloc(16 * 1024 * 1024, 'x')),
    'expected tar.zst with plugin.json as its first file',
  ],
  [
    'begins with another file',
    async () => plainArchive({ 'bin/netdiag': '', 'plugin.json': '{}' }),
    'it begins with "bin/netdiag"',
  ],
  [
    'has a manifest that is too large',
    async () => plainArchive({ 'plugin.json': ' '.repeat(maxPluginManifestBytes + 1) }),
    `expected at most ${maxPluginManifestBytes}`,
  ],
  ['has a manifest that is not JSON', async () => plainArchive({ 'plugin.json': '{' }), 'it is not JSON'],
  [
    'has a manifest that is not one',
    async () => plainArchive({ 'plugin.json': manifestText({ program: '../sh' }) }),
    'program: expected a path inside of the archive',
  ],
  [
    'is of another plugin than was signed',
    async () => netdiagArchive({ name: 'other' }),
    'is of other 1.0.0: expected what was signed',
  ],
  [
    'is of another version than was signed',
    async () => netdiagArchive({ version: '1.0.1' }),
    'is of netdiag 1.0.1: expected what was signed',
  ],
  [
    'has a schema that cannot be used',
    async () =>
      netdiagArchive({
        task_types: { TRACEROUTE: { summary: 'x', parameters: { type: 'object', not: { type: 'null' } } } },
      }),
    'NETDIAG.TRACEROUTE cannot be used: not is not supported',
  ],
])('an archive that %s is refused', async (_what, archive, why) => {
  await expect(read(await archive())).rejects.toMatchObject({
    code: 'bad_request',
    message: expect.stringContaining(why),
  });
});

test('an archive with any of its bytes changed is read or refused, and nothing else', async () => {
  const whole = await netdiagArchive();
  const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 4 }),
      fc.nat(whole.length),
      async (changes, cut) => {
        const archive = Buffer.from(whole.subarray(0, cut === 0 ? whole.length : cut));
        for (const [at, byte] of changes) if (at < archive.length) archive[at] = byte;
        const outcome: unknown = await read(archive).catch((error: unknown) => error);
        expect(outcome instanceof AppError ? outcome.code : outcome).toEqual(
          outcome instanceof AppError ? 'bad_request' : expect.objectContaining({ name: 'netdiag' }),
        );
      },
    ),
    { numRuns: 200 },
  );
});
