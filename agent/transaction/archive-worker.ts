import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { openPayload, sealPayload } from '../../shared/node/age-payload.ts';
import { youngGarbage } from '../../shared/node/young-garbage.ts';
import { compress } from './archive-compress.ts';
import { DiskTree } from './archive-disk-tree.ts';
import { checkArchive, type ExpectedArchive } from './archive-reader.ts';
import { packTar, type TarContent } from './archive-tar.ts';

// Each gigabyte that passes makes V8 look through all that this thread holds some hundred times: what it imports is kept small.

/** What this thread is to do; started by archive-apart.ts. `key` is that of the payload. */
export type ArchiveJob =
  | { kind: 'seal'; content: Omit<TarContent, 'tree'>; header: Uint8Array; key: Uint8Array }
  | { kind: 'check'; key: Uint8Array; expected: ExpectedArchive };

/** What it tells: that it is done with the memory of a piece, or what it made of one; and in the end one of the others. */
export type Told =
  | { taken: Uint8Array<ArrayBuffer> }
  | { made: Uint8Array<ArrayBuffer>; length: number }
  | { result: unknown }
  | { failure: { name: string; code?: string; message: string; path?: string } };

/** Bytes that are handed over at once, and how many pieces of what was made may be on their way, to be brought or in memory until they are. */
const pieceBytes = 1024 * 1024;
const maxPieces = 20;

const bytesPassed = youngGarbage();

const tell = (told: Told, memory: Uint8Array<ArrayBuffer>[] = []): void =>
  parentPort?.postMessage(
    told,
    memory.map(({ buffer }) => buffer),
  );

async function run(job: ArchiveJob): Promise<unknown> {
  if (job.kind === 'check') return checkArchive(openPayload(pieces(), job.key), job.expected);
  const hash = createHash('sha256');
  await handOver(sealed(job), (piece) => {
    hash.update(piece);
    bytesPassed(2 * piece.length); // compressed, then encrypted
  });
  return hash.digest('hex');
}

async function* sealed({
  content,
  header,
  key,
}: Extract<ArchiveJob, { kind: 'seal' }>): AsyncGenerator<Uint8Array> {
  yield header;
  yield* sealPayload(compress(packTar({ ...content, tree: new DiskTree() })), key);
}

/** Gives what was made to the other side, in pieces whose memory comes back: so all of it passes through the same few. */
async function handOver(source: AsyncIterable<Uint8Array>, see: (piece: Uint8Array) => void): Promise<void> {
  const send = (piece: Uint8Array<ArrayBuffer>, length: number): void => {
    see(piece.subarray(0, length));
    tell({ made: piece, length }, [piece]);
  };
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
      send(filling, used);
      filling = await memory();
      used = 0;
    }
  }
  send(filling, used);
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
    bytesPassed(2 * piece.length);
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
