import { createHash, type Hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TaskError } from '../../shared/errors.ts';
import { blobPath } from '../../shared/protocol/transfer.ts';
import type { TransferParts } from './transfers.ts';
import { requireType } from './transfers-exchange.ts';
import { Pace } from './transfers-pace.ts';
import { Retries, transferFailed, WrongAnswer } from './transfers-retries.ts';

export interface DownloadRequest {
  code: string;
  sha256: string;
  maxBytes: number;
  /** Of an earlier process: so many bytes, and their SHA-256 so far. */
  held?: { bytes: number; digest: Hash };
}

/** The bytes of a blob that are not held yet; after a lost connection it goes on behind those that were handed over. Throws in the end when the digest does not fit. */
export async function* download(
  parts: TransferParts,
  { code, sha256, maxBytes, held }: DownloadRequest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const path = blobPath(code, sha256);
  const retries = new Retries({ ...parts, maxFailures: parts.limits.maxFailures });
  const hash = held?.digest ?? createHash('sha256');
  const blob: Blob = { received: held?.bytes ?? 0, total: undefined };
  while (blob.total === undefined || blob.received < blob.total) {
    const before = blob.received;
    try {
      for await (const chunk of piecesFrom(parts, path, blob, signal)) {
        blob.received += chunk.length;
        if (blob.received > maxBytes)
          throw new WrongAnswer(`more than the ${maxBytes} bytes that it may have`);
        hash.update(chunk);
        yield chunk;
        parts.bytesPassed(chunk.length);
      }
      blob.total ??= blob.received;
      if (blob.received < blob.total)
        throw new Error(`cut off after ${blob.received} of ${blob.total} bytes`);
    } catch (error) {
      await retries.after(error, blob.received - before, signal).catch((last: unknown) => {
        signal.throwIfAborted();
        throw transferFailed('rejected_fetch', `Blob ${sha256} could not be fetched`, last);
      });
    }
  }
  const digest = hash.digest('hex');
  if (digest === sha256) return;
  throw new TaskError(
    'rejected_fetch',
    `Blob ${sha256} is not what it should be: ${blob.received} bytes came, and their SHA-256 is ${digest}`,
  );
}

interface Blob {
  received: number;
  /** As soon as the controller told it. */
  total: number | undefined;
}

/** One connection's share: what comes behind `received`. */
async function* piecesFrom(
  parts: TransferParts,
  path: string,
  blob: Blob,
  outer: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { exchanges, clock, limits } = parts;
  const from = blob.received;
  using pace = new Pace(clock, limits, outer);
  try {
    const headers = from > 0 ? { range: `bytes=${from}-` } : {};
    const response = await exchanges.request({ method: 'GET', path, headers }, pace.signal);
    let skip = beginOf(response, blob) === from ? 0 : from;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      pace.moved(chunk.length);
      const skipped = Math.min(skip, chunk.length);
      skip -= skipped;
      if (skipped === chunk.length) continue;
      pace.hold();
      yield chunk.subarray(skipped);
      pace.goOn();
    }
  } catch (error) {
    pace.signal.throwIfAborted();
    throw error;
  }
}

/** Where the answer begins: behind what is there, or at 0 when the controller or somebody between does not know ranges. */
function beginOf(response: IncomingMessage, blob: Blob): number {
  requireType(response, 'application/octet-stream');
  const { 'content-length': length, 'content-range': range = '' } = response.headers;
  if (response.statusCode === 200) {
    learnTotal(blob, length === undefined ? undefined : Number(length));
    return 0;
  }
  const told = /^bytes (\d+)-\d+\/(\d+)$/.exec(range);
  if (response.statusCode === 206 && told && Number(told[1]) === blob.received) {
    learnTotal(blob, Number(told[2]));
    return blob.received;
  }
  response.destroy();
  throw new WrongAnswer(
    `HTTP ${response.statusCode} with content range "${range}" where byte ${blob.received} was asked for`,
  );
}

function learnTotal(blob: Blob, total: number | undefined): void {
  if (blob.total !== undefined && total !== undefined && blob.total !== total)
    throw new WrongAnswer(`it had ${blob.total} bytes, and now ${total}`);
  blob.total ??= total;
}
