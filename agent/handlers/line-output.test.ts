import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineOutput } from './line-output.ts';
import { maxLineBytes, outputBounds } from './output-bounds.ts';

function collect() {
  const told: string[] = [];
  return { told, lines: new LineOutput((_stream, text) => void told.push(text)) };
}

test('text cut anywhere gives the same lines', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z\n\r]{0,8}$/)), (pieces) => {
      const { told, lines } = collect();
      for (const piece of pieces) lines.write('stdout', piece);
      lines.end();
      const text = pieces.join('');
      const expected = text.split('\n').map((line) => line.replace(/\r$/, ''));
      if (text === '' || text.endsWith('\n')) expected.pop();
      expect(told).toEqual(expected);
    }),
  );
});

test('keeps the streams apart and counts both', () => {
  const { told, lines } = collect();
  lines.write('stdout', 'a');
  lines.write('stderr', 'x\ny');
  lines.write('stdout', 'b\n');
  lines.end();
  expect(told).toEqual(['x', 'ab', 'y']);
  expect(lines.lines).toEqual({ stdout: 1, stderr: 2 });
  expect(lines.lastError).toBe('y');
});

test('a line without end goes on in the next one, holds no memory, and no character is cut in two', () => {
  const { told, lines } = collect();
  const text = `a${'😀'.repeat(40_000)}`;
  for (let at = 0; at < text.length; at += 1000) lines.write('stdout', text.slice(at, at + 1000));
  lines.end();
  expect(told.join('')).toBe(text);
  expect(Math.max(...told.map((line) => line.length))).toBeLessThanOrEqual(maxLineBytes);
  expect(told.every((line) => line.isWellFormed())).toBe(true);
});

test('says when there was more than is kept', () => {
  const { lines } = collect();
  lines.write('stdout', 'x\n'.repeat(outputBounds.maxLines));
  expect(lines.truncated).toBe(false);
  lines.write('stdout', 'x\n');
  expect(lines.truncated).toBe(true);
});
