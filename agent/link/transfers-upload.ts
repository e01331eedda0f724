import { createHash } from 'node:crypto';
import type { z } from 'zod';
import {
  UploadDone,
  type UploadName,
  UploadState,
  uploadCompletePath,
  uploadOffsetHeader,
  uploadPath,
} from '../../shared/protocol/transfer.ts';
import { DialRefused } from './dial-refused.ts';
import type { TransferParts } from './transfers.ts';
import { Pace } from './transfers-pace.ts';
import { Retries, transferFailed, WrongAnswer } from './transfers-retries.ts';

export interface UploadRequest {
  code: string;
  name: UploadName;
  content: UploadContent;
  progress?: ((bytes: number) => void) | undefined;
}

/** What is brought: all there already, or still being made. */
export interface UploadContent {
  /** Whether the controller may hold what lies before, and what follows can still be read. */
  holds(offset: number): boolean;
  /** Waits until there is something behind `offset`; how many bytes. 0: that was all. */
  ready(offset: number, signal: AbortSignal): Promise<number>;
  /** Each piece is valid until the next is asked for. */
  read(offset: number, end: number): AsyncIterable<Uint8Array>;
  /** What lies before has arrived. */
  letGo(before: number): void;
  /** Of all of it, once it is ready to its end. */
  proof(): { size: number; sha256: string };
}

const digestOfNothing = createHash('sha256').digest('hex');

/** Brings bytes into the controller's store and returns what they are. After a lost connection it asks how far it came, and goes on there. */
export async function upload(
  parts: TransferParts,
  request: UploadRequest,
  signal: AbortSignal,
): Promise<{ size: number; sha256: string }> {
  const retries = new Retries({ ...parts, maxFailures: parts.limits.maxFailures });
  const course: Course = { offset: 0, restarts: 0 };
  for (;;) {
    const before = course.offset;
    try {
      return await bring(parts, request, course, signal);
    } catch (error) {
      // Somebody else, such as this task before a crash, brought bytes of another file: the controller dropped them.
      if (error instanceof DialRefused && error.code === 'digest_mismatch' && course.restarts === 0) {
        course.restarts = 1;
        continue;
      }
      const passing =
        error instanceof DialRefused && error.code === 'conflict' ? new Error(error.message) : error;
      await retries.after(passing, course.offset - before, signal).catch((last: unknown) => {
        signal.throwIfAborted();
        throw transferFailed('transfer_failed', `Upload of ${request.name}`, last);
      });
    }
  }
}

interface Course {
  /** What the controller holds. */
  offset: number;
  restarts: number;
}

async function bring(
  parts: TransferParts,
  request: UploadRequest,
  course: Course,
  outer: AbortSignal,
): Promise<{ size: number; sha256: string }> {
  const { code, name, content, progress } = request;
  const { exchanges, clock, limits } = parts;
  const state = await asking(clock, limits, outer, (signal) =>
    exchanges.json({ method: 'GET', path: uploadPath(code, name) }, UploadState, signal),
  );
  course.offset = await beginning(parts, request, state.offset, outer);
  for (;;) {
    const bytes = await content.ready(course.offset, outer);
    if (course.offset + bytes > state.max_bytes)
      throw new WrongAnswer(`the controller takes at most ${state.max_bytes} bytes`);
    if (bytes === 0) break;
    const end = course.offset + Math.min(bytes, limits.pieceBytes);
    const next = await append(parts, request, { offset: course.offset, end }, outer);
    if (next <= course.offset || next > end)
      throw new WrongAnswer(`the controller says it holds ${next} bytes`);
    course.offset = next;
    content.letGo(next);
    progress?.(next);
  }
  const proof = content.proof();
  const done = await complete(parts, request, proof, outer);
  if (done.size !== proof.size || done.sha256 !== proof.sha256) {
    throw new WrongAnswer(
      `the controller holds ${done.size} bytes with SHA-256 ${done.sha256}, expected ${proof.size} with ${proof.sha256}`,
    );
  }
  return proof;
}

/** Where to go on: behind what the controller holds, or at 0 when that is nothing that can be gone on with. */
async function beginning(
  parts: TransferParts,
  request: UploadRequest,
  arrived: number,
  outer: AbortSignal,
): Promise<number> {
  const { content, name } = request;
  if (content.holds(arrived)) return arrived;
  if (!content.holds(0)) {
    throw new WrongAnswer(`the controller holds ${arrived} bytes of the ${name} and held more before`);
  }
  // To say that it is complete with nothing makes the controller drop what does not fit.
  await complete(parts, request, { size: 0, sha256: digestOfNothing }, outer).catch((error: unknown) => {
    if (!(error instanceof DialRefused && error.code === 'digest_mismatch')) throw error;
  });
  return 0;
}

/** The controller may have to read all of it before it answers. */
function complete(
  { exchanges, clock, limits }: TransferParts,
  { code, name }: UploadRequest,
  proof: { size: number; sha256: string },
  outer: AbortSignal,
): Promise<z.output<typeof UploadDone>> {
  const patient = { windowMs: limits.completeMs, minBytes: 1 };
  return asking(clock, patient, outer, (signal) =>
    exchanges.json(jsonBody(uploadCompletePath(code, name), proof), UploadDone, signal),
  );
}

/** One request's share; settles with what the controller holds then. */
async function append(
  { exchanges, clock, limits }: TransferParts,
  { code, name, content }: UploadRequest,
  { offset, end }: { offset: number; end: number },
  outer: AbortSignal,
): Promise<number> {
  using pace = new Pace(clock, limits, outer);
  try {
    const state = await exchanges.json(
      {
        method: 'PATCH',
        path: uploadPath(code, name),
        headers: { [uploadOffsetHeader]: String(offset), 'content-type': 'application/octet-stream' },
        body: { content: paced(content.read(offset, end), pace), bytes: end - offset },
      },
      UploadState,
      pace.signal,
    );
    return state.offset;
  } catch (error) {
    pace.signal.throwIfAborted();
    throw error;
  }
}

async function* paced(content: AsyncIterable<Uint8Array>, pace: Pace): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    yield piece;
    pace.moved(piece.length);
  }
}

/** A short request, given up when no answer comes. */
export async function asking<Value>(
  clock: TransferParts['clock'],
  limits: { windowMs: number; minBytes: number },
  outer: AbortSignal,
  ask: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  using pace = new Pace(clock, limits, outer);
  try {
    return await ask(pace.signal);
  } catch (error) {
    pace.signal.throwIfAborted();
    throw error;
  }
}

export const jsonBody = (path: string, body: unknown) => ({
  method: 'POST' as const,
  path,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(body)),
});
