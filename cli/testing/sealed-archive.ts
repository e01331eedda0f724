import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Archive } from '../../shared/api/backups.ts';
import { ageEncrypt, generateAgeKeys } from '../../shared/node/age.ts';
import type { AgeKeys } from '../../shared/node/age.ts';
import { generateKeyPair, signText } from '../../shared/node/keys.ts';
import type { KeyPair } from '../../shared/node/keys.ts';
import { archiveManifestName } from '../../shared/archive-name.ts';
import type { ArchiveManifest, ArchiveStatement } from '../../shared/task-types/backup.ts';

export interface SampleFile {
  path: string;
  text?: string | Buffer;
  unit?: string | null;
  mode?: string;
  type?: 'file' | 'link' | 'folder';
  target?: string;
}

/** What a test may bend: each is right unless it is given. */
export interface Bends {
  manifest?(manifest: ArchiveManifest): unknown;
  tar?(entries: SampleFile[]): SampleFile[];
  plain?(tar: Buffer): Buffer;
  sealed?(age: Buffer): Buffer;
  statement?(statement: ArchiveStatement): unknown;
}

export interface SealedArchive {
  archive: Archive;
  bytes: Buffer;
  keys: AgeKeys;
  otherKeys: AgeKeys;
  deviceKey: KeyPair;
}

const device = '9d1d8a52-6c0e-4c8e-9f37-5a4a1f3f0d13';
const madeAt = '2026-01-01T00:00:00.000Z';
const content = 'c0'.repeat(32);

/** An archive as a device makes it: manifest and tar, zstd, age to two recipients, signed. */
export async function sealArchive(files: SampleFile[], bends: Bends = {}): Promise<SealedArchive> {
  const [keys, otherKeys] = [await generateAgeKeys(), await generateAgeKeys()];
  const recipients = [keys.recipient, otherKeys.recipient];
  const manifest = Buffer.from(JSON.stringify(bends.manifest?.(manifestOf(files)) ?? manifestOf(files)));
  const tar = await tarOf(manifest, bends.tar?.(files) ?? files);
  const age = await collect(ageEncrypt(once(zstdCompressSync(bends.plain?.(tar) ?? tar)), recipients));
  const bytes = bends.sealed?.(age) ?? age;
  const statement: ArchiveStatement = {
    format: 1,
    device,
    made_at: madeAt,
    manifest_sha256: sha256(manifest),
    archive_sha256: sha256(bytes),
    archive_bytes: bytes.length,
    content,
  };
  const deviceKey = generateKeyPair();
  const text = JSON.stringify(bends.statement?.(statement) ?? statement);
  const archive = sampleArchive({
    size: bytes.length,
    sha256: sha256(bytes),
    files: files.length,
    recipients,
    statement: text,
    signature: signText(text, deviceKey.privateKey),
    device_key: deviceKey.publicKey,
  });
  return { archive, bytes, keys, otherKeys, deviceKey };
}

export const sampleArchive = (changes: Partial<Archive> = {}): Archive => ({
  id: 'Ab12Cd34',
  device_uuid: device,
  device_name: 'edge-1',
  organization: 'default',
  task: 'aB3dE6gH',
  size: 4096,
  sha256: 'ab'.repeat(32),
  content,
  files: 2,
  level: 'readable',
  made_at: madeAt,
  stored_at: madeAt,
  readable_at: madeAt,
  restorable_at: null,
  verified_at: madeAt,
  unchanged_at: null,
  damaged_at: null,
  damage: null,
  recipients: [],
  statement: '{}',
  signature: '',
  device_key: 'A'.repeat(43),
  ...changes,
});

const manifestOf = (files: SampleFile[]): ArchiveManifest => ({
  format: 1,
  device,
  device_name: 'edge-1',
  made_at: madeAt,
  boot_id: 'boot-1',
  generation: 3,
  profile: { id: 'debian', rev: 1 },
  system: { kernel: '6.12' },
  content,
  files: files.map(({ path, text = '', unit = null, mode = '0644', type = 'file', target }) => ({
    path,
    unit,
    type,
    mode,
    owner: 'root',
    group: 'root',
    size: type === 'file' ? Buffer.byteLength(text) : 0,
    ...(type === 'file' ? { sha256: sha256(Buffer.from(text)) } : {}),
    ...(target === undefined ? {} : { target }),
  })),
});

async function tarOf(manifest: Buffer, files: SampleFile[]): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: archiveManifestName }, manifest);
  for (const { path, text = '', type = 'file', target } of files) {
    const name = `files${path}`;
    if (type === 'link') tar.entry({ name, type: 'symlink', linkname: target ?? '' });
    else if (type === 'folder') tar.entry({ name, type: 'directory' });
    else tar.entry({ name }, Buffer.from(text));
  }
  tar.finalize();
  return await collect(tar as unknown as AsyncIterable<Uint8Array>);
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
