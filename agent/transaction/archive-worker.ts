import { parentPort, workerData } from 'node:worker_threads';
import { ageDecrypt } from '../../shared/node/age.ts';
import { DiskTree } from './archive-disk-tree.ts';
import { checkArchive, type ExpectedArchive } from './archive-reader.ts';
import { type SealOptions, sealToFile } from './archive-seal.ts';
import { packTar, type TarContent } from './archive-tar.ts';

/** What this thread is to do; started by archive-apart.ts. */
export type ArchiveJob =
  | { kind: 'seal'; content: Omit<TarContent, 'tree'>; options: Omit<SealOptions, 'signal'> }
  | { kind: 'check'; identity: string; expected: ExpectedArchive };

/** What it tells: that it took a piece, and in the end one of the others. */
export type Told =
  | { taken: true }
  | { result: unknown }
  | { failure: { name: string; code?: string; message: string; path?: string } };

const tell = (told: Told): void => parentPort?.postMessage(told);

function run(job: ArchiveJob): Promise<unknown> {
  if (job.kind === 'check') return checkArchive(ageDecrypt(pieces(), job.identity), job.expected);
  const { signal } = new AbortController(); // who wants it to end ends the thread
  return sealToFile(packTar({ ...job.content, tree: new DiskTree() }), { ...job.options, signal });
}

/** What the other side hands over, until it hands over nothing more. */
async function* pieces(): AsyncGenerator<Uint8Array> {
  const waiting: (Uint8Array | null)[] = [];
  let arrived: () => void = () => undefined;
  parentPort?.on('message', (piece: Uint8Array | null) => {
    waiting.push(piece);
    arrived();
  });
  for (;;) {
    const piece = waiting.shift();
    if (piece === null) return;
    if (piece === undefined) {
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
      continue;
    }
    yield piece;
    tell({ taken: true });
  }
}

function failureOf(error: unknown): Extract<Told, { failure: unknown }>['failure'] {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message } = error;
  const isTaskError = name === 'TaskError' && 'code' in error && typeof error.code === 'string';
  const path = 'path' in error && typeof error.path === 'string' ? { path: error.path } : {};
  return { name, message, ...path, ...(isTaskError ? { code: error.code as string } : {}) };
}

run(workerData as ArchiveJob).then(
  (result) => tell({ result }),
  (error: unknown) => tell({ failure: failureOf(error) }),
);
