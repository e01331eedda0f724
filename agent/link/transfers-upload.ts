import { open, stat } from 'node:fs/promises';
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
  file: string;
  size: number;
  sha256: string;
  progress?: (bytes: number) => void;
}

const readBytes = 256 * 1024;

/** Brings a file into the controller's store. After a lost connection it asks how far it came, and goes on there. */
export async function upload(
  parts: TransferParts,
  request: UploadRequest,
  signal: AbortSignal,
): Promise<void> {
  const retries = new Retries({ ...parts, maxFailures: parts.limits.maxFailures });
  const course: Course = { offset: 0, restarts: 0 };
  for (;;) {
    const before = course.offset;
    try {
      await requireSize(request);
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
        throw transferFailed('transfer_failed', `Upload of ${request.name} (${request.size} bytes)`, last);
      });
    }
  }
}

interface Course {
  /** What the controller holds. */
  offset: number;
  restarts: number;
}

async function requireSize({ file, size }: UploadRequest): Promise<void> {
  const found = await stat(file);
  if (found.size !== size) throw new WrongAnswer(`${file} has ${found.size} bytes, expected ${size}`);
}

async function bring(
  parts: TransferParts,
  request: UploadRequest,
  course: Course,
  outer: AbortSignal,
): Promise<void> {
  const { code, name, size, sha256, progress } = request;
  const { exchanges, clock, limits } = parts;
  const state = await asking(clock, limits, outer, (signal) =>
    exchanges.json({ method: 'GET', path: uploadPath(code, name) }, UploadState, signal),
  );
  if (size > state.max_bytes) throw new WrongAnswer(`the controller takes at most ${state.max_bytes} bytes`);
  course.offset = state.offset;
  while (course.offset < size) {
    const next = await append(parts, request, course.offset, outer);
    if (next <= course.offset || next > size)
      throw new WrongAnswer(`the controller says it holds ${next} bytes`);
    course.offset = next;
    progress?.(next);
  }
  // The controller reads all of it once more before it answers.
  const patient = { windowMs: limits.completeMs, minBytes: 1 };
  const done = await asking(clock, patient, outer, (signal) =>
    exchanges.json(jsonBody(uploadCompletePath(code, name), { size, sha256 }), UploadDone, signal),
  );
  if (done.size !== size || done.sha256 !== sha256) {
    throw new WrongAnswer(
      `the controller holds ${done.size} bytes with SHA-256 ${done.sha256}, expected ${sha256}`,
    );
  }
}

/** One request's share of the file; settles with what the controller holds then. */
async function append(
  { exchanges, clock, limits }: TransferParts,
  { code, name, file, size }: UploadRequest,
  offset: number,
  outer: AbortSignal,
): Promise<number> {
  const end = Math.min(size, offset + limits.pieceBytes);
  using pace = new Pace(clock, limits, outer);
  try {
    const state = await exchanges.json(
      {
        method: 'PATCH',
        path: uploadPath(code, name),
        headers: { [uploadOffsetHeader]: String(offset), 'content-type': 'application/octet-stream' },
        body: { content: readPart(file, { offset, end }, pace), bytes: end - offset },
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

/** One part of the file, piece by piece, each valid until the next is asked for. */
async function* readPart(
  file: string,
  { offset, end }: { offset: number; end: number },
  pace: Pace,
): AsyncGenerator<Buffer> {
  await using handle = await open(file, 'r');
  const buffer = Buffer.allocUnsafe(Math.min(readBytes, end - offset));
  for (let at = offset; at < end; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at);
    if (bytesRead === 0) throw new WrongAnswer(`${file} was cut while it was sent`);
    yield buffer.subarray(0, bytesRead);
    pace.moved(bytesRead);
    at += bytesRead;
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
