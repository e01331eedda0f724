import type { Readable } from 'node:stream';
import { usageError } from '../../cli-error.ts';

const maxBytes = 256 * 1024;

/** A value from standard input, without the line end that `echo` and editors put behind it. */
export async function standardInput(stdin: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stdin) {
    const bytes = Buffer.from(part as Uint8Array);
    parts.push(bytes);
    size += bytes.length;
    if (size > maxBytes) throw usageError(`the value has more than ${maxBytes / 1024} KiB`);
  }
  const text = textOf(Buffer.concat(parts)).replace(/\r?\n$/, '');
  if (text === '') throw usageError('standard input is empty: there is no value');
  return text;
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw usageError('the value is not UTF-8 text');
  }
}
