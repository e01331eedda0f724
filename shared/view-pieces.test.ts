import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Unit } from './device-profile.ts';
import { hideDetected, suspiciousLine } from './view-detectors.ts';
import { ViewInPieces, viewOf } from './view-pieces.ts';
import { applyToLines } from './view-rules.ts';

const token = (value: string): string =>
  `<secret:${[...value]
    .reduce((sum, one) => (sum * 31 + one.charCodeAt(0)) >>> 0, 7)
    .toString(16)
    .padStart(8, '0')}>`;
const unit = Unit.parse({
  name: 'u',
  summary: 'x',
  paths: [{ glob: '/x' }],
  volatile: [
    { id: 'drop', match: '^#', replace: 'drop_line' },
    { id: 'count', match: 'packets (\\d+)', replace: 'mask' },
  ],
  secrets: [
    { id: 'key', match: 'key (\\S+)', replace: 'token' },
    { id: 'gone', match: 'gone', replace: 'drop_line' },
  ],
  public: ['known \\S+'],
});

/** The rules and detectors over a text as a whole. */
function wholeView(text: string): { text: string } | { withheld: string } {
  const steady = applyToLines(text.split('\n'), unit.volatile, token, '<volatile>');
  const hidden = hideDetected(applyToLines(steady, unit.secrets, token).join('\n'), token);
  const line = suspiciousLine(hidden, unit.public);
  if (line === undefined) return { text: hidden };
  return { withheld: `line ${line} of the view holds what looks like a secret and no rule names it` };
}

function viewInPieces(pieces: string[]): { text: string } | { withheld: string } {
  const view = new ViewInPieces(unit, token);
  const text = pieces.map((piece) => view.add(piece)).join('') + view.end();
  return view.withheld === undefined ? { text } : { withheld: view.withheld };
}

/** What texts are made of: whatever makes a line, a block or a secret begin, end, or nearly so. */
const fragment = fc.oneof(
  { weight: 6, arbitrary: fc.constant('\n') },
  {
    weight: 8,
    arbitrary: fc.constantFrom('-----BEGIN A KEY-----', '-----END A KEY-----', '-----', 'END B'),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '# note',
      'packets 17',
      'key one',
      'gone',
      ' ',
      '\r',
      '\u2028',
      '🔑',
      'password = ',
      'password: one "two',
      'redis://:hello@192.0.2.1',
      '<psk>three</psk>',
      'rocommunity four',
      'AGE-SECRET-KEY-1ABC',
      'LS0tLS1CRUdJTiABC',
      '<secret:0badcafe>',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'known aMdzEZ2Ze2GQaFsy1HeLRU0sQ4hUpbQ9jxBJT8PGA1Y=',
      'odd aMdzEZ2Ze2GQaFsy1HeLRU0sQ4hUpbQ9jxBJT8PGA1Y=',
      'x'.repeat(70_000),
    ),
  },
  { weight: 2, arbitrary: fc.string({ maxLength: 12, unit: 'grapheme' }) },
);
const texts = fc.array(fragment, { maxLength: 40 }).map((list) => list.join(''));

const cutAt = (text: string, cuts: number[]): string[] => {
  const at = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
  return at.slice(1).map((end, index) => text.slice(at[index], end));
};

describe('a text in pieces', () => {
  test('has the view that it has as a whole, wherever it is cut', () => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat(), { maxLength: 8 }), (text, cuts) => {
        expect(viewInPieces(cutAt(text, cuts))).toEqual(wholeView(text));
        expect(viewOf(text, unit, token)).toEqual(wholeView(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test('has the same view one character at a time', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(viewInPieces(text.slice(0, 400).split(''))).toEqual(wholeView(text.slice(0, 400)));
      }),
      { numRuns: 500 },
    );
  });

  test('gives lines out as they come, and holds back a key until its end', () => {
    const view = new ViewInPieces(unit, token);
    expect(view.add('one\ntw')).toBe('one');
    expect(view.add('o\n-----BEGIN A KEY-----\nabc\n')).toBe('\ntwo');
    expect(view.add('def\n')).toBe('');
    expect(view.add('-----END A KEY-----\nfour')).toMatch(/^\n-----BEGIN A KEY-----<secret:\S+>$/);
    expect(view.end()).toBe('\nfour');
  });
});
