import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { maxLineLength, type PluginLine, PluginLines, readPluginLine } from './plugin-line.ts';

const line = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.json(),
  fc
    .tuple(
      fc.constantFrom('log', 'progress', 'question', 'result', 'error', '__proto__', 'constructor'),
      fc.jsonValue(),
    )
    .map(([kind, value]) => `{${JSON.stringify(kind)}:${JSON.stringify(value)}}`),
  fc
    .record({
      prompt: fc.string(),
      options: fc.array(fc.string()),
      safe: fc.option(fc.string()),
      deadline_ms: fc.integer(),
    })
    .map((question) => JSON.stringify({ question })),
);

const kinds = ['log', 'progress', 'question', 'result', 'error'];

test('whatever a program says is understood or refused as bad_output', () => {
  fc.assert(
    fc.property(line, (text) => {
      let read: PluginLine;
      try {
        read = readPluginLine(text);
      } catch (error) {
        expect(error).toBeInstanceOf(TaskError);
        expect(error).toMatchObject({ code: 'bad_output' });
        expect((error as TaskError).message.length).toBeLessThan(500);
        return;
      }
      expect(kinds).toContain(read.kind);
      expect(JSON.stringify(read.value)).toBeDefined();
    }),
    { numRuns: 2000 },
  );
});

test('lines are the same however they come in pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), fc.array(fc.nat(7)), (pieces, cuts) => {
      const text = pieces.join('\n');
      const heard: string[] = [];
      const lines = new PluginLines((one) => heard.push(one));
      let from = 0;
      for (const cut of cuts) {
        lines.push(text.slice(from, from + cut));
        from += cut;
      }
      lines.push(text.slice(from));
      lines.end();
      const expected = text.split('\n');
      expect(heard).toEqual(expected.at(-1) === '' ? expected.slice(0, -1) : expected);
    }),
  );
});

test('a line of the greatest length is heard, and a longer one is refused before it ends', () => {
  const heard: number[] = [];
  const lines = new PluginLines((one) => heard.push(one.length));
  lines.push(`${'x'.repeat(maxLineLength)}\n`);
  expect(heard).toEqual([maxLineLength]);
  expect(() => lines.push('x'.repeat(maxLineLength + 1))).toThrow('a line of more than');
});
