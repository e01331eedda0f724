import { createHash } from 'node:crypto';
import type { Header } from 'tar-stream';
import { parseJson } from '../../shared/parse.ts';
import { archiveManifestName } from '../../shared/archive-name.ts';
import { ArchiveManifest } from '../../shared/task-types/backup.ts';
import type { ArchiveStatement } from '../../shared/task-types/backup.ts';
import { CliError } from '../cli-error.ts';

const maxManifestBytes = 64 * 1024 * 1024;

/** One entry of a tar, as it is read. */
export type Entry = AsyncIterable<Uint8Array> & { header: Header };

type ManifestFile = ArchiveManifest['files'][number];

/** The first entry: the manifest, with the digest that the device signed. */
export async function readManifest(entry: Entry, statement: ArchiveStatement): Promise<ArchiveManifest> {
  const { name, size, type } = entry.header;
  if (name !== archiveManifestName || !isRegular(type)) {
    throw damaged(`the archive does not begin with ${archiveManifestName}`);
  }
  if (size > maxManifestBytes) throw damaged(`the manifest has ${size} bytes, more than ${maxManifestBytes}`);
  const bytes = await bytesOf(entry, size);
  if (createHash('sha256').update(bytes).digest('hex') !== statement.manifest_sha256) {
    throw damaged('the manifest is not the one that the device signed');
  }
  const manifest = understood(bytes.toString('utf8'));
  if (manifest.device !== statement.device || manifest.content !== statement.content) {
    throw damaged('the manifest is of another device or content than the signed statement');
  }
  return manifest;
}

function understood(text: string): ArchiveManifest {
  try {
    return parseJson('the manifest of the archive', ArchiveManifest, text);
  } catch (error) {
    throw damaged((error as Error).message);
  }
}

/** Holds the entries of a tar against the manifest: nothing besides, nothing twice, nothing missing, every hash right. */
export class ContentCheck {
  readonly manifest: ArchiveManifest;
  readonly #open: Map<string, ManifestFile>;
  #files = 0;
  #bytes = 0;

  constructor(manifest: ArchiveManifest) {
    this.manifest = manifest;
    this.#open = new Map(manifest.files.map((file) => [file.path, file]));
    if (this.#open.size !== manifest.files.length) throw damaged('the manifest names a path twice');
  }

  /** What the manifest says of an entry. */
  expect({ name, type, size, linkname }: Header): ManifestFile {
    const path = pathOf(name);
    const file = path === undefined ? undefined : this.#open.get(path);
    if (file === undefined) throw damaged(`${name} is in the archive twice, or not in its manifest`);
    this.#open.delete(file.path);
    if (kindOf(type) !== file.type) throw damaged(`${file.path} is no ${file.type} in the archive`);
    if (file.type === 'file' && size !== file.size) {
      throw damaged(`${file.path} has ${size} bytes in the archive and ${file.size} in the manifest`);
    }
    if (file.type === 'link' && linkname !== file.target) {
      throw damaged(`${file.path} leads to another place in the archive than in the manifest`);
    }
    return file;
  }

  async hash(file: ManifestFile, content: AsyncIterable<Uint8Array> | Buffer): Promise<void> {
    const hash = createHash('sha256');
    for await (const chunk of Buffer.isBuffer(content) ? [content] : content) hash.update(chunk);
    if (file.type !== 'file') return;
    if (file.sha256 !== hash.digest('hex')) throw damaged(`${file.path} is not as the manifest says`);
    this.#files += 1;
    this.#bytes += file.size;
  }

  /** After the last entry. */
  end(): { files: number; plainBytes: number } {
    const [missing] = this.#open.values();
    if (missing !== undefined) throw damaged(`${missing.path} is in the manifest and not in the archive`);
    return { files: this.#files, plainBytes: this.#bytes };
  }
}

/** All bytes of an entry, whose size the caller has found acceptable. */
export async function bytesOf(entry: AsyncIterable<Uint8Array>, size: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of entry) {
    length += part.length;
    if (length > size) throw damaged('an entry of the archive is longer than it says');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** `files/etc/hosts` as `/etc/hosts`; undefined for any other name. */
function pathOf(name: string): string | undefined {
  if (!name.startsWith('files/')) return undefined;
  return `/${name.slice('files/'.length).replace(/^\/+|\/+$/g, '')}`;
}

const isRegular = (type: Header['type']): boolean => type === 'file' || type === 'contiguous-file';

function kindOf(type: Header['type']): ManifestFile['type'] | undefined {
  if (isRegular(type)) return 'file';
  if (type === 'symlink') return 'link';
  return type === 'directory' ? 'folder' : undefined;
}

const damaged = (message: string): CliError => new CliError('failed', message, { code: 'damaged' });
