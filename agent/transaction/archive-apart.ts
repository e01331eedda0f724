import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { TaskError } from '../../shared/errors.ts';
import { ageEncrypt, beginAge, openAge } from '../../shared/node/age.ts';
import { compress } from './archive-compress.ts';
import type { ArchiveJob, Told } from './archive-worker.ts';
import { DiskTree } from './archive-disk-tree.ts';
import type { CheckedArchive, ExpectedArchive } from './archive-reader.ts';
import type { Spool } from './archive-spool.ts';
import { packTar, type TarContent } from './archive-tar.ts';
import { EntryChanged } from './archive-tree.ts';

// The bytes of an archive pass through a thread of its own. Each gigabyte leaves gigabytes of buffers behind, and to find them again is
// cheap in a small heap and dear in the agent's.

/** Bytes that are handed over at once, and how many such pieces may be on their way. */
const pieceBytes = 1024 * 1024;
const maxOnTheWay = 4;

type Memory = Uint8Array<ArrayBuffer>;

/** Makes and seals an archive; what is made goes to `out` at once. Files that are on no disk are read here. */
export async function sealArchive(
  content: TarContent,
  { recipients, signal }: { recipients: readonly string[]; signal: AbortSignal },
  out: Spool,
): Promise<void> {
  const { tree, ...rest } = content;
  if (!(tree instanceof DiskTree)) return sealHere(content, recipients, { out, signal });
  const job = { kind: 'seal' as const, content: rest, ...(await beginAge(recipients)) };
  const sha256 = await work<string>(job, signal, (thread) => receive(thread, out));
  out.end(sha256);
}

async function sealHere(
  content: TarContent,
  recipients: readonly string[],
  { out, signal }: { out: Spool; signal: AbortSignal },
): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of ageEncrypt(compress(packTar(content)), recipients)) {
    signal.throwIfAborted();
    hash.update(chunk);
    await out.append(chunk, () => undefined);
  }
  out.end(hash.digest('hex'));
}

/** Decrypts an archive and holds it against its manifest; see `checkArchive`. */
export async function checkSealed(
  bytes: AsyncIterable<Uint8Array>,
  identity: string,
  { expected, signal }: { expected: ExpectedArchive; signal: AbortSignal },
): Promise<CheckedArchive> {
  const { key, payload } = await openAge(bytes, identity).catch((error: unknown) => {
    signal.throwIfAborted();
    if (error instanceof TaskError) throw error;
    const told = error instanceof Error ? error.message : String(error);
    throw new TaskError('archive_damaged', `The archive cannot be opened: ${told}`, { cause: error });
  });
  return work({ kind: 'check', key, expected }, signal, (thread) => feed(thread, payload));
}

/** The thread's side of an exchange of bytes. */
interface Thread {
  worker: Worker;
  /** Aborted when nobody listens any more. */
  over: AbortSignal;
  /** That the thread has told its result. */
  settled: Promise<unknown>;
}

/** Beside this file: as a source, or bundled. */
const program = import.meta.url.endsWith('.ts') ? './archive-worker.ts' : './archive-worker.js';

/** Starts the thread and settles with its result, once `exchange` has settled too. */
async function work<Result>(
  job: ArchiveJob,
  signal: AbortSignal,
  exchange: (thread: Thread) => Promise<void>,
): Promise<Result> {
  signal.throwIfAborted();
  const worker = new Worker(new URL(program, import.meta.url), { workerData: job });
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
  try {
    const [result] = await Promise.all([settled, exchange({ worker, over: ended.signal, settled })]);
    return result;
  } finally {
    ended.abort();
    await worker.terminate();
  }
}

/** Passes on what the thread made, piece by piece, and gives their memory back. */
async function receive({ worker, settled }: Thread, out: Spool): Promise<void> {
  const failed = Promise.withResolvers<never>();
  let appending = Promise.resolve();
  worker.on('message', (told: Told) => {
    if (!('made' in told)) return;
    const { made, length } = told;
    const giveBack = (): void => worker.postMessage(made, [made.buffer]);
    appending = appending.then(() => out.append(made.subarray(0, length), giveBack));
    appending.catch(failed.reject);
  });
  await Promise.race([settled, failed.promise]);
  await appending;
}

/** Hands the memory over, so that nothing of it is left to this thread; it comes back, and is used again. */
async function feed({ worker, over }: Thread, source: AsyncIterable<Uint8Array>): Promise<void> {
  const idle: Memory[] = Array.from({ length: maxOnTheWay }, () => new Uint8Array(pieceBytes));
  let taken: () => void = () => undefined;
  worker.on('message', (told: Told) => {
    if (!('taken' in told)) return;
    idle.push(told.taken);
    taken();
  });
  over.addEventListener('abort', () => taken(), { once: true });
  const memory = async (): Promise<Memory | undefined> => {
    while (idle.length === 0 && !over.aborted) {
      await new Promise<void>((resolve) => {
        taken = resolve;
      });
    }
    return over.aborted ? undefined : idle.pop();
  };
  const send = (bytes: Memory, length: number): void => worker.postMessage({ bytes, length }, [bytes.buffer]);
  let filling = await memory();
  let used = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      if (filling === undefined) return;
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
  if (filling === undefined) return;
  send(filling, used);
  worker.postMessage(null);
}

function errorOf({ name, code, message, path }: Extract<Told, { failure: unknown }>['failure']): Error {
  if (name === 'EntryChanged') return new EntryChanged(path ?? '', new Error(message));
  return code === undefined ? new Error(message) : new TaskError(code, message);
}
