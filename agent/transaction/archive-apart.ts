import { rm } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { TaskError } from '../../shared/errors.ts';
import type { ArchiveJob, Told } from './archive-worker.ts';
import { DiskTree } from './archive-disk-tree.ts';
import type { CheckedArchive, ExpectedArchive } from './archive-reader.ts';
import { type SealedFile, type SealOptions, sealToFile } from './archive-seal.ts';
import { packTar, type TarContent } from './archive-tar.ts';
import { EntryChanged } from './archive-tree.ts';

// The bytes of an archive pass through a thread of its own. Each gigabyte leaves gigabytes of buffers behind, and to find them again is
// cheap in a small heap and dear in the agent's.

/** Bytes that are handed over at once, and how many such pieces may be on their way. */
const pieceBytes = 1024 * 1024;
const maxOnTheWay = 4;

/** Makes and seals an archive. Files that are on no disk are read here. */
export async function sealArchive(content: TarContent, options: SealOptions): Promise<SealedFile> {
  const { tree, ...rest } = content;
  if (!(tree instanceof DiskTree)) return sealToFile(packTar(content), options);
  const { signal, ...sealing } = options;
  try {
    return await work<SealedFile>({ kind: 'seal', content: rest, options: sealing }, signal);
  } catch (error) {
    await rm(`${options.path}.new`, { force: true });
    throw error;
  }
}

/** Decrypts an archive and holds it against its manifest; see `checkArchive`. */
export const checkSealed = (
  sealed: AsyncIterable<Uint8Array>,
  identity: string,
  { expected, signal }: { expected: ExpectedArchive; signal: AbortSignal },
): Promise<CheckedArchive> => work({ kind: 'check', identity, expected }, signal, sealed);

async function work<Result>(
  job: ArchiveJob,
  signal: AbortSignal,
  source?: AsyncIterable<Uint8Array>,
): Promise<Result> {
  signal.throwIfAborted();
  const worker = new Worker(new URL('./archive-worker.ts', import.meta.url), { workerData: job });
  const ended = new AbortController();
  const settled = new Promise<Result>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), {
      once: true,
      signal: ended.signal,
    });
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('the thread of the archive ended without a word')));
    worker.on('message', (told: Told) => {
      if ('result' in told) resolve(told.result as Result);
      if ('failure' in told) reject(errorOf(told.failure));
    });
  });
  settled.catch(() => undefined); // told below
  try {
    if (source) await Promise.race([feed(worker, source, ended.signal), settled]);
    return await settled;
  } finally {
    ended.abort();
    await worker.terminate();
  }
}

/** Hands the memory over, so that nothing of it is left to this thread. */
async function feed(worker: Worker, source: AsyncIterable<Uint8Array>, over: AbortSignal): Promise<void> {
  let onTheWay = 0;
  let taken: () => void = () => undefined;
  worker.on('message', (told: Told) => {
    if (!('taken' in told)) return;
    onTheWay -= 1;
    taken();
  });
  const send = async (piece: Uint8Array<ArrayBuffer>): Promise<void> => {
    while (onTheWay >= maxOnTheWay && !over.aborted) {
      await new Promise<void>((resolve) => {
        taken = resolve;
        over.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    onTheWay += 1;
    worker.postMessage(piece, [piece.buffer]);
  };
  let filling = new Uint8Array(pieceBytes);
  let used = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      if (over.aborted) return;
      const part = chunk.subarray(at, at + pieceBytes - used);
      filling.set(part, used);
      used += part.length;
      at += part.length;
      if (used < pieceBytes) continue;
      await send(filling);
      filling = new Uint8Array(pieceBytes);
      used = 0;
    }
  }
  await send(filling.slice(0, used));
  worker.postMessage(null);
}

function errorOf({ name, code, message, path }: Extract<Told, { failure: unknown }>['failure']): Error {
  if (name === 'EntryChanged') return new EntryChanged(path ?? '', new Error(message));
  return code === undefined ? new Error(message) : new TaskError(code, message);
}
