import { createHash, type Hash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import type { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';
import { archiveManifestName } from '../../shared/archive-name.ts';
import type { ArchiveManifest } from '../../shared/task-types/backup.ts';
import { decompress } from './archive-compress.ts';
import { nameInTar } from './archive-tar.ts';

type Manifest = z.output<typeof ArchiveManifest>;
type Archived = Manifest['files'][number];

const tarTypes = { file: 'file', link: 'symlink', folder: 'directory' } as const;

/** What an archive is to be: its manifest, and the exact text of that. */
export interface ExpectedArchive {
  text: string;
  manifest: Manifest;
}

export interface CheckedArchive {
  files: number;
  plainBytes: number;
}

/**
 * Reads a decrypted archive to its end and holds everything in it against the manifest: order, type, size, digest. It is parsed and
 * never written anywhere. Throws `TaskError('archive_damaged')`.
 */
export async function checkArchive(
  decrypted: AsyncIterable<Uint8Array>,
  { text, manifest }: ExpectedArchive,
): Promise<CheckedArchive> {
  const tar = extract();
  const fed = pipeline(decompress(decrypted), tar);
  fed.catch(() => undefined); // told below
  const expected = [undefined, ...manifest.files];
  let at = 0;
  let plainBytes = 0;
  try {
    for await (const entry of tar) {
      if (at === expected.length)
        throw damaged(`holds ${entry.header.name}, which the manifest does not name`);
      const file = expected[at];
      requireSameKind(entry.header, file);
      const hash = createHash('sha256');
      const bytes = await digestOf(entry, hash, file?.size ?? Buffer.byteLength(text));
      requireSameContent(file, { sha256: hash.digest('hex'), bytes, text });
      plainBytes += file?.type === 'file' ? bytes : 0;
      at += 1;
    }
    await fed;
  } catch (error) {
    throw error instanceof TaskError ? error : damaged(await reasonOf(error, fed), error);
  } finally {
    tar.destroy();
  }
  if (at < expected.length) throw damaged(`ends before ${expected[at]?.path ?? archiveManifestName}`);
  return { files: manifest.files.filter(({ type }) => type === 'file').length, plainBytes };
}

async function digestOf(content: AsyncIterable<unknown>, hash: Hash, maxBytes: number): Promise<number> {
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw damaged('holds a file that is longer than the manifest says');
    hash.update(chunk);
  }
  return bytes;
}

function requireSameKind({ name, type, linkname }: Header, file: Archived | undefined): void {
  if (file === undefined) {
    if (name === archiveManifestName && type === 'file') return;
    throw damaged('does not begin with its manifest');
  }
  if (withoutSlash(name) !== withoutSlash(nameInTar(file.path)) || type !== tarTypes[file.type]) {
    throw damaged(`holds ${name} (${type}) where the manifest names ${file.path} (${file.type})`);
  }
  if (file.type === 'link' && linkname !== file.target)
    throw damaged(`holds ${file.path} with another target`);
}

/** Folders have one at their end. */
const withoutSlash = (name: string): string => name.replace(/\/$/, '');

function requireSameContent(
  file: Archived | undefined,
  found: { sha256: string; bytes: number; text: string },
): void {
  if (file === undefined) {
    const sha256 = createHash('sha256').update(found.text).digest('hex');
    if (found.sha256 !== sha256) throw damaged('does not begin with its manifest');
  } else if (file.type === 'file' && (found.bytes !== file.size || found.sha256 !== file.sha256)) {
    throw damaged(`holds ${file.path} with another content than the manifest says`);
  }
}

/** The tar only knows that its source broke; the source knows why. */
async function reasonOf(error: unknown, fed: Promise<void>): Promise<string> {
  const first = await fed.then(
    () => error,
    (cause: unknown) => cause,
  );
  const told = first instanceof Error ? first.message : String(first);
  return `cannot be read to its end: ${told}`;
}

const damaged = (what: string, cause?: unknown): TaskError =>
  new TaskError('archive_damaged', `The archive ${what}`, { cause });
