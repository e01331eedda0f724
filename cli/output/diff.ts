import type { OutStream } from '../terminal.ts';
import type { Paint } from './paint.ts';
import { plain } from './plain.ts';

/** A unified diff for people: coloured on a terminal, and harmless there. Programs get the text as it is. */
export function diffText(diff: string, paint: Paint, stream: OutStream): string {
  const lines = diff.replace(/\n$/, '').split('\n');
  return lines.map((line) => `${paint.diffLine(stream.isTTY ? plain(line) : line)}\n`).join('');
}

/** Text of a device for people: control characters do nothing on a terminal. */
export const deviceText = (text: string, stream: OutStream): string =>
  stream.isTTY ? text.split('\n').map(plain).join('\n') : text;
