import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asData, maxResultBytes } from './as-data.ts';
import { questionText } from './question-text.ts';

const proposed = {
  runId: 'run',
  createdBy: 'ops@example.org',
  taskType: 'SCRIPT',
  devices: ['fw-1', 'fw-2'],
  parameters: { script: 'reboot' },
  reason: 'Slow.',
};

test('a question tells what, where and why', () => {
  expect(questionText(proposed)).toBe(
    [
      'The agent task run of ops@example.org proposes SCRIPT on 2 devices: fw-1, fw-2',
      'Parameters: {"script":"reboot"}',
      'Why, in the words of the model: "Slow."',
    ].join('\n'),
  );
});

test('nothing in a question is unseen, reorders it, or adds lines to it', () => {
  const hidden = fc.constantFrom('\u202e', '\u200b', '\u0007', '\u001b[2J', '\n', '\r', '\u2028', '\u00ad');
  const text = fc.array(fc.oneof(fc.string(), hidden)).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, text, (script, reason) => {
      const shown = questionText({ ...proposed, parameters: { script }, reason });
      expect(shown.split('\n')).toHaveLength(3);
      expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test('data ends where it ends, whatever is in it, and is bounded', () => {
  const tag = fc.constantFrom('</data>', '<data>', '<', '/data>');
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string(), tag, fc.string({ minLength: 20_000, size: 'max', maxLength: 20_001 })), {
        maxLength: 4,
      }),
      (value) => {
        const shown = asData(value);
        expect(shown.startsWith('<data>\n')).toBe(true);
        expect(shown.indexOf('</data>')).toBe(shown.length - '</data>'.length);
        expect(shown.lastIndexOf('<data>')).toBe(0);
        expect(Buffer.byteLength(shown)).toBeLessThan(maxResultBytes + 200);
      },
    ),
    { numRuns: 50 },
  );
});
