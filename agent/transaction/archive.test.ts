import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createZstdDecompress, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import { ageDecrypt, generateAgeKeys } from '../../shared/node/age.ts';
import { lacks, notTested } from '../../test/harness/not-tested.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { collectContents, contentsText } from './archive-contents.ts';
import { compress } from './archive-compress.ts';
import { DiskTree } from './archive-disk-tree.ts';
import { checkArchive } from './archive-reader.ts';
import { sealToFile } from './archive-seal.ts';
import { packTar } from './archive-tar.ts';
import { endOfTar, padding, tarHeader } from './archive-tar-header.ts';

const never = new AbortController().signal;
const tree = new DiskTree();

async function* pieces(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A folder with files, links and what no archive keeps. */
function stage() {
  const folder = temporaryFolder('archive');
  const at = (...names: string[]) => join(folder.path, 'root', ...names);
  mkdirSync(at('sub', 'empty'), { recursive: true });
  writeFileSync(at('a.conf'), 'alpha\n');
  chmodSync(at('a.conf'), 0o640);
  writeFileSync(at('sub', 'binary'), Buffer.from([0, 255, 10]));
  writeFileSync(at('sub', 'nothing'), '');
  writeFileSync(at('sub', `${'long '.repeat(30)}ö`), 'long name\n');
  writeFileSync(at('sub', 'large'), Buffer.alloc(5_000_000, 'large '));
  symlinkSync('../a.conf', at('sub', 'link'));
  const collect = (over: Partial<Parameters<typeof collectContents>[0]> = {}, signal = never) =>
    collectContents(
      { units: [], include: [at()], exclude: [], ownPaths: [], maxBytes: 1e9, ...over },
      { tree, signal, progress: () => undefined },
    );
  return { at, path: folder.path, collect, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

async function archiveOf(staged: ReturnType<typeof stage>, recipients: string[]) {
  const { entries, plainBytes } = await staged.collect();
  const manifest = {
    format: 1 as const,
    device: 'd',
    device_name: 'edge',
    made_at: '2026-01-01T00:00:00.000Z',
    boot_id: 'b',
    generation: null,
    profile: { id: 'test', rev: 1 },
    system: {},
    content: 'c',
    files: entries.map(({ path, unit, type, mode, owner, group, size, sha256, target }) => ({
      ...{ path, unit, type, mode, owner, group, size },
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(target === undefined ? {} : { target }),
    })),
  };
  const text = JSON.stringify(manifest);
  const path = join(staged.path, 'sealed');
  const sealed = await sealToFile(packTar({ manifest: { text, atMs: 0 }, entries, tree }), {
    recipients,
    path,
    plainBytes,
    signal: never,
  });
  return { manifest, text, sealed, bytes: readFileSync(path) };
}

test('files, links and folders are found in order, what cannot be kept is named, nothing is followed', async () => {
  using staged = stage();
  const socket = createServer().listen(staged.at('socket'));
  await once(socket, 'listening');
  execFileSync('mkfifo', [staged.at('pipe')]);
  const { entries, skipped, plainBytes } = await staged.collect({
    include: [staged.at(), staged.at('missing'), staged.at('a.conf')],
  });
  expect(entries.map(({ path, type }) => `${type} ${path.slice(staged.at().length)}`)).toEqual([
    'folder ',
    'file /a.conf',
    'folder /sub',
    'file /sub/binary',
    'folder /sub/empty',
    'file /sub/large',
    'link /sub/link',
    expect.stringContaining('file /sub/long'),
    'file /sub/nothing',
  ]);
  expect(plainBytes).toBe(6 + 3 + 10 + 5_000_000);
  expect(
    Object.fromEntries(skipped.map(({ path, reason }) => [path.slice(staged.at().length + 1), reason])),
  ).toEqual({
    socket: 'it is a socket',
    pipe: 'it is a pipe',
    missing: 'nothing is there',
  });
  const alpha = entries.find(({ path }) => path.endsWith('a.conf'));
  expect(alpha).toMatchObject({ mode: '0640', sha256: createHash('sha256').update('alpha\n').digest('hex') });
  socket.close();
});

test('excluded paths and the agent’s own stay out with all below; too much is refused before it is read', async () => {
  using staged = stage();
  const names = async (over: object) => (await staged.collect(over)).entries.map(({ path }) => path);
  expect(await names({ exclude: [staged.at('s*')] })).toEqual([staged.at(), staged.at('a.conf')]);
  expect(await names({ ownPaths: [staged.at('sub')], include: [staged.at('*')] })).toEqual([
    staged.at('a.conf'),
  ]);
  expect(await names({ ownPaths: [staged.at('sub')], include: [staged.at('sub', 'large')] })).toEqual([]);
  await expect(staged.collect({ maxBytes: 5_000_000 })).rejects.toMatchObject({ code: 'too_large' });
  await expect(staged.collect({ include: ['/etc/../root'] })).rejects.toMatchObject({
    code: 'invalid_parameters',
  });
  await expect(staged.collect({}, AbortSignal.abort(new Error('cancelled')))).rejects.toThrow('cancelled');
});

test('the same content has the same text, any change another', async () => {
  using staged = stage();
  const text = async () => contentsText((await staged.collect()).entries);
  const seen = [await text()];
  expect(await text()).toBe(seen[0]);
  chmodSync(staged.at('a.conf'), 0o600);
  seen.push(await text());
  writeFileSync(staged.at('a.conf'), 'alphA\n');
  seen.push(await text());
  symlinkSync('nowhere', staged.at('new'));
  seen.push(await text());
  expect(new Set(seen).size).toBe(4);
});

test('a file that changes after it was found is not archived as something else', async () => {
  using staged = stage();
  const { entries } = await staged.collect();
  writeFileSync(staged.at('a.conf'), 'ALPHA\n');
  await expect(buffer(packTar({ entries, tree }))).rejects.toMatchObject({ name: 'EntryChanged' });
});

const tools = ['age', 'zstd', 'tar'].map((program) => lacks(program)).find((lack) => lack !== undefined);
notTested('archives restored with age, zstd and tar', tools);
test.skipIf(tools)(
  'age, zstd and tar restore exactly what was archived, with the key of any recipient',
  async () => {
    using staged = stage();
    const holders = [await generateAgeKeys(), await generateAgeKeys()];
    const { text, sealed } = await archiveOf(
      staged,
      holders.map(({ recipient }) => recipient),
    );
    for (const [index, { identity }] of holders.entries()) {
      const key = join(staged.path, `key-${index}`);
      writeFileSync(key, identity);
      const out = join(staged.path, `out-${index}`);
      mkdirSync(out);
      execFileSync('sh', [
        '-c',
        'age -d -i "$1" "$2" | zstd -d | tar -x -C "$3"',
        'sh',
        key,
        sealed.path,
        out,
      ]);
      expect(readFileSync(join(out, 'muster-manifest.json'), 'utf8')).toBe(text);
      expect(look(join(out, 'files', staged.at()))).toEqual(look(staged.at()));
    }
  },
);

function look(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name);
    const stats = lstatSync(path);
    const content = stats.isSymbolicLink()
      ? readlinkSync(path)
      : stats.isFile()
        ? readFileSync(path, 'hex')
        : '';
    const time = stats.isFile() ? Math.floor(stats.mtimeMs / 1000) : '';
    found[name] = `${stats.mode.toString(8)} ${stats.uid} ${stats.gid} ${time} ${content}`;
  }
  return found;
}

test('an archive is read back without writing anything, and is what its manifest says', async () => {
  using staged = stage();
  const { identity, recipient } = await generateAgeKeys();
  const { bytes, text, manifest } = await archiveOf(staged, [recipient]);
  const read = checkArchive(ageDecrypt(pieces(bytes), identity), { text, manifest });
  expect(await read).toEqual({ files: 5, plainBytes: 5_000_019 });
});

test('a flipped byte, a missing end, another archive and another key are all found out', async () => {
  using staged = stage();
  const { identity, recipient } = await generateAgeKeys();
  const one = await archiveOf(staged, [recipient]);
  const check = (bytes: Uint8Array, by = identity, of = one) =>
    checkArchive(ageDecrypt(pieces(bytes), by), of);

  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: one.bytes.length - 1 }), async (at) => {
      const flipped = Buffer.from(one.bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 0x10;
      await expect(check(flipped)).rejects.toMatchObject({ code: 'archive_damaged' });
      await expect(check(one.bytes.subarray(0, at))).rejects.toMatchObject({ code: 'archive_damaged' });
    }),
    { numRuns: 40 },
  );
  await expect(check(one.bytes, (await generateAgeKeys()).identity)).rejects.toMatchObject({
    code: 'archive_damaged',
    message: expect.stringContaining('no identity matched'),
  });
  writeFileSync(staged.at('a.conf'), 'other\n');
  const other = await archiveOf(staged, [recipient]);
  await expect(check(other.bytes)).rejects.toThrow('does not begin with its manifest');
});

test('an archive that was made by somebody who holds the recipient is held against the manifest, file by file', async () => {
  using staged = stage();
  const { recipient } = await generateAgeKeys();
  const { text, manifest } = await archiveOf(staged, [recipient]);
  const { entries } = await staged.collect();
  const atMs = 0;
  const check = async (content: Parameters<typeof packTar>[0]) =>
    checkArchive(pieces(zstdCompressSync(await buffer(packTar(content)))), { text, manifest });
  const own = { manifest: { text, atMs }, tree };

  expect(await check({ ...own, entries })).toMatchObject({ files: 5 });
  await expect(check({ ...own, entries: entries.slice(1) })).rejects.toThrow('where the manifest names');
  await expect(check({ ...own, entries: entries.slice(0, -1) })).rejects.toThrow('ends before');
  const last = entries.at(-1) as (typeof entries)[number];
  await expect(check({ ...own, entries: [...entries, last] })).rejects.toThrow('does not name');
  const moved = entries.map((entry) => (entry.type === 'link' ? { ...entry, target: '/etc/shadow' } : entry));
  await expect(check({ ...own, entries: moved })).rejects.toThrow('another target');
  const linked = entries.map((entry) =>
    entry === last ? { ...entry, type: 'link' as const, target: 'x' } : entry,
  );
  await expect(check({ ...own, entries: linked })).rejects.toThrow('where the manifest names');
  await expect(check({ entries, tree })).rejects.toThrow('does not begin with its manifest');
  writeFileSync(staged.at('a.conf'), 'ALPHA\n');
  await expect(check({ ...own, entries: (await staged.collect()).entries })).rejects.toThrow(
    'another content',
  );
});

test('a full disk and a cancelled task leave nothing behind', async () => {
  using staged = stage();
  const { recipient } = await generateAgeKeys();
  const path = join(staged.path, 'spool', 'sealed');
  mkdirSync(join(staged.path, 'spool'));
  const seal = (over: object) =>
    sealToFile(pieces(Buffer.alloc(10_000_000)), {
      ...{ recipients: [recipient], path, plainBytes: 1, signal: never },
      ...over,
    });
  await expect(seal({ plainBytes: 1e18 })).rejects.toMatchObject({ code: 'disk_full' });
  await expect(seal({ signal: AbortSignal.abort(new Error('cancelled')) })).rejects.toThrow('cancelled');
  const broken = (async function* () {
    yield Buffer.alloc(10);
    throw new Error('the disk is bad');
  })();
  const options = { recipients: [recipient], path, plainBytes: 1, signal: never };
  await expect(sealToFile(broken, options)).rejects.toThrow('the disk is bad');
  expect(readdirSync(join(staged.path, 'spool'))).toEqual([]);
});

test('whatever names, links, sizes and owners are written, a tar reader reads the same', async () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }).filter((one) => !/\0/.test(one));
  const id = fc.oneof(fc.nat(70_000), fc.constantFrom(0o7777777, 0o7777777 + 1, 4_294_967_294));
  const entry = fc.record({
    name: text,
    target: text,
    uid: id,
    gid: id,
    owner: fc.stringMatching(/^[a-z]{1,40}$/),
    type: fc.constantFrom('file' as const, 'link' as const, 'folder' as const),
    mode: fc.constantFrom('0644', '0600', '4755', '1777'),
  });
  await fc.assert(
    fc.asyncProperty(entry, fc.nat(1500), async ({ name, target, type, ...rest }, length) => {
      const size = type === 'file' ? length : 0;
      const link = type === 'link' ? { target } : {};
      const header = tarHeader(
        { ...rest, ...link, type, size, group: rest.owner, mtimeMs: 1_700_000_000_123 },
        name,
      );
      const tar = Buffer.concat([header, Buffer.alloc(size), padding(size), endOfTar()]);
      expect(tar.length % 512).toBe(0);
      const reader = extract();
      reader.end(tar);
      for await (const read of reader) {
        const slash = type === 'folder' && !read.header.name.endsWith('/') ? '/' : '';
        const pax = (read.header.pax ?? {}) as Record<string, string | undefined>;
        const owners = {
          uid: Number(pax['uid'] ?? read.header.uid),
          gid: Number(pax['gid'] ?? read.header.gid),
          uname: pax['uname'] ?? read.header.uname,
          gname: pax['gname'] ?? read.header.gname,
        };
        expect({ ...read.header, ...owners, name: read.header.name + slash }).toMatchObject({
          name: type === 'folder' ? `${name}/` : name,
          size,
          uid: rest.uid,
          gid: rest.gid,
          uname: rest.owner,
          gname: rest.owner,
          mode: Number.parseInt(rest.mode, 8),
          type: { file: 'file', link: 'symlink', folder: 'directory' }[type],
          linkname: type === 'link' ? target : null,
        });
        read.resume();
      }
    }),
  );
});

test('pieces that share their memory come out as they went in', async () => {
  const shared = Buffer.alloc(1_000_003);
  async function* sharing() {
    for (let round = 0; round < 12; round += 1) {
      shared.fill(round);
      yield shared;
    }
  }
  const zstd = createZstdDecompress();
  zstd.end(await buffer(compress(sharing())));
  const out = await buffer(zstd);
  for (let round = 0; round < 12; round += 1) {
    expect(
      out.subarray(round * shared.length, (round + 1) * shared.length).every((byte) => byte === round),
    ).toBe(true);
  }
});
