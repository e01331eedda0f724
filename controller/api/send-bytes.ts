import type { Readable } from 'node:stream';
import { AppError } from '../../shared/errors.ts';
import type { ByteRange } from '../content/blobs.ts';
import { errorBody } from './failures.ts';
import type { OpenCall } from './route.ts';
import { giveUpIdle } from './slow-requests.ts';

/** Bytes to be sent: all of them, or from the middle on. */
export interface Bytes {
  sha256: string;
  size: number;
  open(range?: ByteRange): Promise<Readable>;
  /** A name for who saves them as a file. */
  fileName?: string;
  /** `application/octet-stream` unless said otherwise. */
  type?: string;
}

/** Answers bytes, or the part that the `Range` header asks for. Nothing is read ahead of who reads them. */
export async function sendBytes({ request, reply }: OpenCall, bytes: Bytes): Promise<unknown> {
  const { sha256, size, fileName, type = 'application/octet-stream' } = bytes;
  reply.headers({ etag: `"${sha256}"`, 'accept-ranges': 'bytes' });
  const range = rangeOf(request.headers.range, size);
  if (range === 'none') {
    const error = new AppError('bad_request', `There are ${size} bytes, and none of them is in the range`);
    return reply.code(416).header('content-range', `bytes */${size}`).send(errorBody(error, request.id));
  }
  if (fileName !== undefined) reply.header('content-disposition', `attachment; filename="${fileName}"`);
  const { start, end } = range ?? { start: 0, end: size - 1 };
  reply.type(type).header('content-length', end - start + 1);
  if (range) reply.code(206).header('content-range', `bytes ${start}-${end}/${size}`);
  giveUpIdle(request);
  return bytes.open(range);
}

/** One range of bytes; undefined: all of them, also when the header is none that we know, as HTTP allows. */
function rangeOf(header: string | undefined, size: number): Required<ByteRange> | 'none' | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const length = Math.min(Number(to), size);
    return length === 0 ? 'none' : { start: size - length, end: size - 1 };
  }
  const start = Number(from);
  if (start >= size) return 'none';
  if (to !== '' && Number(to) < start) return undefined;
  return { start, end: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}
