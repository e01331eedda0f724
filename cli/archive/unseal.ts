import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import { ageDecrypt } from '../../shared/node/age.ts';
import type { ArchiveManifest, ArchiveStatement } from '../../shared/task-types/backup.ts';
import { CliError } from '../cli-error.ts';
import { ContentCheck, bytesOf, readManifest } from './content-check.ts';
import type { Entry } from './content-check.ts';

/** Every piece goes to another thread and back: so they are few. */
const chunkSize = 1024 * 1024;

export interface Unsealed {
  manifest: ArchiveManifest;
  /** Regular files whose bytes are as the manifest says. */
  files: number;
  plainBytes: number;
  /** Content of the files that were asked for. */
  kept: Map<string, Buffer>;
}

export interface UnsealParts {
  identity: string;
  statement: ArchiveStatement;
  /** Paths whose content is kept in memory; told once the manifest is known. */
  keep(manifest: ArchiveManifest): ReadonlySet<string> | Promise<ReadonlySet<string>>;
}

/**
 * Decrypts, unpacks and checks an archive in one pass, and writes nothing anywhere. Only when every byte is known to be as the device
 * signed it is there a result. The tar is read, never extracted.
 */
export async function unseal(source: AsyncIterable<Uint8Array>, parts: UnsealParts): Promise<Unsealed> {
  const { identity, statement } = parts;
  const ciphertext = new Digest(source);
  const tar = extract();
  const [feeding, reading] = await Promise.allSettled([
    feed(tar, ageDecrypt(ciphertext, identity)),
    readTar(tar, parts),
  ]);
  if (feeding.status === 'rejected') throw broken(feeding.reason);
  if (reading.status === 'rejected') throw broken(reading.reason);
  if (ciphertext.sha256() !== statement.archive_sha256 || ciphertext.bytes !== statement.archive_bytes) {
    throw damaged('the archive is not the one that the device signed: its digest differs');
  }
  return reading.value;
}

type Tar = ReturnType<typeof extract>;

/** Decompresses into the tar reader, no faster than it reads. When the reader gives up it only ends: the reader says why. */
async function feed(tar: Tar, compressed: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    await pipeline(Readable.from(compressed), createZstdDecompress({ chunkSize }), async (plain) => {
      for await (const chunk of plain) {
        if (!tar.write(chunk)) await readyAgain(tar);
        if (tar.destroying) return;
      }
    });
    tar.end(undefined);
  } catch (error) {
    if (tar.destroying) return;
    tar.destroy(error as Error);
    throw error;
  }
}

/** Until it takes more, or takes nothing any more. */
const readyAgain = (tar: Tar): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      tar.off('close', done);
      tar.off('drain', done);
      resolve();
    };
    if (tar.destroying) {
      resolve();
      return;
    }
    tar.once('close', done);
    tar.once('drain', done);
  });

async function readTar(tar: Tar, { statement, keep }: UnsealParts): Promise<Unsealed> {
  let check: ContentCheck | undefined;
  const kept = new Map<string, Buffer>();
  let wanted: ReadonlySet<string> = new Set();
  for await (const entry of tar as unknown as AsyncIterable<Entry>) {
    if (check === undefined) {
      const manifest = await readManifest(entry, statement);
      check = new ContentCheck(manifest);
      wanted = await keep(manifest);
      continue;
    }
    const file = check.expect(entry.header);
    const content = wanted.has(file.path) ? await bytesOf(entry, file.size) : entry;
    await check.hash(file, content);
    if (Buffer.isBuffer(content)) kept.set(file.path, content);
  }
  if (check === undefined) throw damaged('the archive is empty');
  return { manifest: check.manifest, ...check.end(), kept };
}

/** Hands on a stream and counts and hashes what passes. */
class Digest implements AsyncIterable<Uint8Array> {
  bytes = 0;
  readonly #hash = createHash('sha256');
  readonly #source: AsyncIterable<Uint8Array>;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  sha256(): string {
    return this.#hash.digest('hex');
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#source) {
      this.bytes += chunk.length;
      this.#hash.update(chunk);
      yield chunk;
    }
  }
}

const damaged = (message: string): CliError => new CliError('failed', message, { code: 'damaged' });

/** What we foresaw stays; anything else is what decryption and unpacking say of bytes that are not right. */
function broken(error: unknown): unknown {
  if (error instanceof CliError || (error instanceof Error && error.name === 'AbortError')) return error;
  return new CliError('failed', `the archive cannot be read: ${(error as Error).message}`, {
    code: 'damaged',
    cause: error,
  });
}
