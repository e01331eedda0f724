import { maxLineBytes } from '../handlers/output-bounds.ts';

/**
 * Text as lines of a log: cut at newlines and, where a line is too long, between two characters. Halves of surrogate pairs become
 * U+FFFD. A newline at the very end does not begin another line.
 */
export function outputLines(text: string): string[] {
  const pieces = text.split('\n');
  if (pieces.length > 1 && pieces.at(-1) === '') pieces.pop();
  return pieces.flatMap((piece) => cut(piece.endsWith('\r') ? piece.slice(0, -1) : piece));
}

function cut(line: string): string[] {
  const wellFormed = line.toWellFormed();
  // At most three bytes of UTF-8 for each unit of UTF-16.
  if (wellFormed.length * 3 <= maxLineBytes) return [wellFormed];

  const bytes = Buffer.from(wellFormed);
  const lines: string[] = [];
  let from = 0;
  do {
    let to = Math.min(from + maxLineBytes, bytes.length);
    while (to < bytes.length && isContinuation(bytes[to])) to -= 1;
    lines.push(bytes.toString('utf8', from, to));
    from = to;
  } while (from < bytes.length);
  return lines;
}

/** Bytes of the form 10xxxxxx continue a character. */
const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;
