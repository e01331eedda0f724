import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { ageDecrypt } from '../../shared/node/age.ts';
import { DiskTree } from './archive-disk-tree.ts';
import { checkArchive, type ExpectedArchive } from './archive-reader.ts';
import { sealed } from './archive-seal.ts';
import { packTar, type TarContent } from './archive-tar.ts';

/** What this thread is to do; started by archive-apart.ts. */
export type ArchiveJob =
  | { kind: 'seal'; content: Omit<TarContent, 'tree'>; recipients: readonly string[] }
  | { kind: 'check'; identity: string; expected: ExpectedArchive };

/** What it tells: that it is done with the memory of a piece, or what it made of one; and in the end one of the others. */
export type Told =
  | { taken: Uint8Array<ArrayBuffer> }
  | { made: Uint8Array<ArrayBuffer>; length: number }
  | { result: unknown }
  | { failure: { name: string; code?: string; message: string; path?: string } };

/** Bytes that are handed over at once, and how many pieces of what was made may be on their way, to be brought or in memory until they are. */
const pieceBytes = 1024 * 1024;
const maxPieces = 40;

const tell = (told: Told, memory: Uint8Array<ArrayBuffer>[] = []): void =>
  parentPort?.postMessage(
    told,
    memory.map(({ buffer }) => buffer),
  );

async function run(job: ArchiveJob): Promise<unknown> {
  if (job.kind === 'check') return checkArchive(ageDecrypt(pieces(), job.identity), job.expected);
  const hash = createHash('sha256');
  await handOver(
    hashed(sealed(packTar({ ...job.content, tree: new DiskTree() }), job.recipients), (chunk) =>
      hash.update(chunk),
    ),
  );
  return hash.digest('hex');
}

async function* hashed(
  source: AsyncIterable<Uint8Array>,
  see: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    see(chunk);
    yield chunk;
  }
}

/** Gives what was made to the other side, in pieces whose memory comes back: so all of it passes through the same few. */
async function handOver(source: AsyncIterable<Uint8Array>): Promise<void> {
  const idle: Uint8Array<ArrayBuffer>[] = [];
  let made = 0;
  let returned = Promise.withResolvers<void>();
  parentPort?.on('message', (memory: Uint8Array<ArrayBuffer>) => {
    idle.push(memory);
    returned.resolve();
    returned = Promise.withResolvers();
  });
  const memory = async (): Promise<Uint8Array<ArrayBuffer>> => {
    while (idle.length === 0 && made >= maxPieces) await returned.promise;
    const one = idle.pop();
    if (one === undefined) made += 1;
    return one ?? new Uint8Array(pieceBytes);
  };
  let filling = await memory();
  let used = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + pieceBytes - used);
      filling.set(part, used);
      used += part.length;
      at += part.length;
      if (used < pieceBytes) continue;
      tell({ made: filling, length: used }, [filling]);
      filling = await memory();
      used = 0;
    }
  }
  tell({ made: filling, length: used }, [filling]);
}

/** What the other side hands over, until it hands over nothing more. Each piece is valid until the next is asked for. */
async function* pieces(): AsyncGenerator<Uint8Array> {
  const waiting: ({ bytes: Uint8Array<ArrayBuffer>; length: number } | null)[] = [];
  let arrived: () => void = () => undefined;
  parentPort?.on('message', (piece: (typeof waiting)[number]) => {
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
    yield piece.bytes.subarray(0, piece.length);
    tell({ taken: piece.bytes }, [piece.bytes]);
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
