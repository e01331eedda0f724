import fc from 'fast-check';
import { expect, test } from 'vitest';
import { generateAgeKeys } from '../../shared/node/age.ts';
import { collect, once, sealArchive } from '../testing/sealed-archive.ts';
import type { Bends, SampleFile } from '../testing/sealed-archive.ts';
import { checkSeal } from './seal.ts';
import { unseal } from './unseal.ts';

const files: SampleFile[] = [
  { path: '/etc/nftables.conf', text: 'table inet filter {}\n', unit: 'nftables', mode: '0600' },
  { path: '/etc/empty', text: '' },
  { path: '/etc/large', text: Buffer.alloc(300_000, 'muster') },
  { path: `/etc/${'long-name/'.repeat(20)}file`, text: 'deep' },
  { path: '/etc/folder', type: 'folder' },
  { path: '/etc/link', type: 'link', target: '/etc/nftables.conf' },
];

async function opened(bends: Bends = {}, sample = files) {
  const { archive, bytes, keys } = await sealArchive(sample, bends);
  const { statement } = checkSeal(archive, undefined);
  return await unseal(once(bytes), {
    identity: keys.identity,
    statement,
    keep: () => new Set(['/etc/nftables.conf', '/etc/empty']),
  });
}

test('opens an archive with one of its keys, and keeps only what was asked for', async () => {
  const { files: count, plainBytes, kept, manifest } = await opened();
  expect({ count, plainBytes }).toEqual({ count: 4, plainBytes: 21 + 300_000 + 4 });
  expect([...kept].map(([path, bytes]) => [path, bytes.toString()])).toEqual([
    ['/etc/nftables.conf', 'table inet filter {}\n'],
    ['/etc/empty', ''],
  ]);
  expect(manifest.files).toHaveLength(6);
});

test.each<[string, Bends, RegExp]>([
  [
    'a file has other bytes',
    { tar: changed((file) => ({ ...file, text: 'table inet FILTER {}\n' })) },
    /nftables.conf is not as/,
  ],
  ['a file has another size', { tar: changed((file) => ({ ...file, text: 'short' })) }, /has 5 bytes/],
  [
    'a file is a link',
    { tar: changed(({ path }) => ({ path, type: 'link', target: '/etc/shadow' })) },
    /is no file/,
  ],
  [
    'a link leads elsewhere',
    { tar: (all) => all.map((one) => (one.type === 'link' ? { ...one, target: '/etc/shadow' } : one)) },
    /leads to another place/,
  ],
  ['a file is missing', { tar: (all) => all.slice(1) }, /nftables.conf is in the manifest and not/],
  ['a file is there twice', { tar: (all) => [...all, ...all.slice(0, 1)] }, /twice/],
  [
    'there is a file more',
    { tar: (all) => [...all, { path: '/etc/shadow', text: 'x' }] },
    /shadow is in the archive twice, or not/,
  ],
  [
    'a name climbs',
    { tar: (all) => [...all, { path: '/../../etc/shadow', text: 'x' }] },
    /not in its manifest/,
  ],
  [
    'the manifest names a path twice',
    { manifest: (one) => ({ ...one, files: [...one.files, one.files[0]] }) },
    /names a path twice/,
  ],
  [
    'the manifest is of another device',
    { manifest: (one) => ({ ...one, device: 'other' }) },
    /another device/,
  ],
  ['the manifest is none', { manifest: () => ({ format: 9 }) }, /not valid/],
  ['the tar is cut off', { plain: (tar) => tar.subarray(0, 40_000) }, /cannot be read|not in the archive/],
  ['the tar is empty', { plain: () => Buffer.alloc(1024) }, /empty/],
  ['what is inside is no tar', { plain: () => Buffer.alloc(4096, 'x') }, /cannot be read|does not begin/],
])('refuses it when %s', async (_, bends, message) => {
  await expect(opened(bends)).rejects.toThrow(message);
});

test('refuses a manifest that is not the one that was signed', async () => {
  const statement = (one: object) => ({ ...one, manifest_sha256: 'ab'.repeat(32) });
  await expect(opened({ statement })).rejects.toThrow(/not the one that the device signed/);
});

test('refuses the key of somebody else', async () => {
  const { archive, bytes } = await sealArchive(files);
  const { identity } = await generateAgeKeys();
  const { statement } = checkSeal(archive, undefined);
  const keep = () => new Set<string>();
  await expect(unseal(once(bytes), { identity, statement, keep })).rejects.toMatchObject({ code: 'damaged' });
});

test('no archive with a byte changed, cut off or added is opened', async () => {
  const { archive, bytes, keys } = await sealArchive(files.slice(0, 2));
  const { statement } = checkSeal(archive, undefined);
  const tampered = fc.oneof(
    fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ bits;
      return copy;
    }),
    fc.nat(bytes.length - 1).map((length) => bytes.subarray(0, length)),
    fc.uint8Array({ minLength: 1, maxLength: 100 }).map((more) => Buffer.concat([bytes, more])),
  );
  await fc.assert(
    fc.asyncProperty(tampered, async (wrong) => {
      const opening = unseal(once(wrong), { identity: keys.identity, statement, keep: () => new Set() });
      await expect(opening).rejects.toMatchObject({ name: 'CliError' });
    }),
    { numRuns: 200 },
  );
});

test('an archive that comes in single bytes is opened all the same', async () => {
  const { archive, bytes, keys } = await sealArchive(files.slice(0, 2));
  const { statement } = checkSeal(archive, undefined);
  async function* drops() {
    for (const byte of bytes) yield Uint8Array.of(byte);
  }
  const { files: count } = await unseal(drops(), {
    identity: keys.identity,
    statement,
    keep: () => new Set(),
  });
  expect(count).toBe(2);
  expect((await collect(drops())).equals(bytes)).toBe(true);
});

test('a break of the source is told as such', async () => {
  const { archive, bytes, keys } = await sealArchive(files);
  const { statement } = checkSeal(archive, undefined);
  async function* breaking() {
    yield bytes.subarray(0, 1000);
    throw new Error('cable pulled');
  }
  await expect(
    unseal(breaking(), { identity: keys.identity, statement, keep: () => new Set() }),
  ).rejects.toThrow(/cable pulled/);
});

/** Changes the first file in the tar, and not in the manifest. */
function changed(change: (file: SampleFile) => SampleFile) {
  return (all: SampleFile[]) => all.map((file, index) => (index === 0 ? change(file) : file));
}
