import type { z } from 'zod';
import type { Clock, Random } from '../../shared/clock.ts';
import { youngGarbage } from '../../shared/node/young-garbage.ts';
import { secretsPath } from '../../shared/protocol/transfer.ts';
import { download, type DownloadRequest } from './transfers-download.ts';
import { type ExchangeParts, Exchanges, readBounded, requireType } from './transfers-exchange.ts';
import { fileContent, type FileToUpload } from './transfers-file.ts';
import { Retries, transferFailed } from './transfers-retries.ts';
import { asking, jsonBody, upload, type UploadRequest } from './transfers-upload.ts';

/** When a try is given up, and when all of it. */
export interface TransferLimits {
  /** In so long at least `minBytes` must move. */
  windowMs: number;
  minBytes: number;
  /** For the controller to answer a report. */
  answerMs: number;
  /** For the controller to read an upload once more. */
  completeMs: number;
  /** Failures in a row, without progress worth the name. */
  maxFailures: number;
  /** Bytes of one upload request. */
  pieceBytes: number;
}

const defaultLimits: TransferLimits = {
  windowMs: 30_000,
  minBytes: 1024,
  answerMs: 120_000,
  completeMs: 600_000,
  maxFailures: 7,
  pieceBytes: 16 * 1024 * 1024,
};
const maxSecretsBytes = 1024 * 1024;

/** What every kind of transfer works with. */
export interface TransferParts {
  exchanges: Exchanges;
  clock: Clock;
  random: Random;
  limits: TransferLimits;
  /** To be told of bytes that came and are not needed any more. */
  bytesPassed(bytes: number): void;
}

/** Bulk bytes over HTTP(S). Every request has a token of its own; all are safe to repeat, and are repeated while that may help. */
export class HttpTransfers implements Disposable {
  readonly #parts: TransferParts;

  constructor({
    clock,
    limits,
    ...exchange
  }: ExchangeParts & { clock: Clock; limits?: Partial<TransferLimits> }) {
    this.#parts = {
      exchanges: new Exchanges(exchange),
      clock,
      random: exchange.random,
      limits: { ...defaultLimits, ...limits },
      bytesPassed: youngGarbage(),
    };
  }

  download(request: DownloadRequest, signal: AbortSignal): AsyncIterable<Uint8Array> {
    return download(this.#parts, request, signal);
  }

  async upload(
    { file, size, sha256, ...rest }: Omit<UploadRequest, 'content'> & FileToUpload,
    signal: AbortSignal,
  ): Promise<void> {
    const content = fileContent({ file, size, sha256 });
    await upload(this.#parts, { ...rest, content }, signal);
  }

  send(request: UploadRequest, signal: AbortSignal): Promise<{ size: number; sha256: string }> {
    return upload(this.#parts, request, signal);
  }

  secrets(code: string, signal: AbortSignal): Promise<Uint8Array> {
    return this.#again('rejected_fetch', `Secrets of task ${code}`, signal, async (exchanges, until) => {
      const response = await exchanges.request(jsonBody(secretsPath(code), {}), until);
      requireType(response, 'application/octet-stream');
      return await readBounded(response, maxSecretsBytes, until);
    });
  }

  post<T extends z.ZodType>(
    path: string,
    body: unknown,
    answer: T,
    signal: AbortSignal,
  ): Promise<z.output<T>> {
    return this.#again('transfer_failed', `POST ${path}`, signal, (exchanges, until) =>
      exchanges.json(jsonBody(path, body), answer, until),
    );
  }

  [Symbol.dispose](): void {
    this.#parts.exchanges[Symbol.dispose]();
  }

  async #again<Value>(
    code: 'rejected_fetch' | 'transfer_failed',
    what: string,
    signal: AbortSignal,
    ask: (exchanges: Exchanges, signal: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    const { exchanges, clock, limits } = this.#parts;
    const retries = new Retries({ ...this.#parts, maxFailures: limits.maxFailures });
    const patient = { windowMs: limits.answerMs, minBytes: 1 };
    for (;;) {
      try {
        return await asking(clock, patient, signal, (until) => ask(exchanges, until));
      } catch (error) {
        await retries.after(error, 0, signal).catch((last: unknown) => {
          signal.throwIfAborted();
          throw transferFailed(code, what, last);
        });
      }
    }
  }
}
