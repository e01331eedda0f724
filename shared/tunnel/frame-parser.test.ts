import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frameHeader, type FrameType, frameTypes, maxControlBytes, maxDataBytes } from './frame.ts';
import { FrameError, FrameParser } from './frame-parser.ts';

type Seen = { type: FrameType; stream: number; payload: number[] };

function parsed(chunks: Uint8Array[]): Seen[] {
  const seen: Seen[] = [];
  const parser = new FrameParser({
    data(stream, part) {
      const last = seen.at(-1);
      if (last?.type === frameTypes.data && last.stream === stream) last.payload.push(...part);
      else seen.push({ type: frameTypes.data, stream, payload: [...part] });
    },
    control: (type, stream, payload) => seen.push({ type, stream, payload: [...payload] }),
  });
  for (const chunk of chunks) parser.push(chunk);
  return seen;
}

const sizes: Partial<Record<FrameType, number>> = {
  [frameTypes.credit]: 4,
  [frameTypes.end]: 0,
  [frameTypes.ping]: 8,
  [frameTypes.pong]: 8,
};

const anyFrame = fc
  .record({
    type: fc.constantFrom(...Object.values(frameTypes)),
    stream: fc.integer({ min: 0, max: 0xff_ff_ff }),
    payload: fc.uint8Array({ maxLength: 300 }),
  })
  .map(({ type, stream, payload }) => {
    const size = sizes[type];
    return { type, stream, payload: size === undefined ? payload : new Uint8Array(size).fill(7) };
  });

/** Neighbouring data frames of one stream cannot be told apart, and need not be; empty ones say nothing. */
function joined(frames: { type: FrameType; stream: number; payload: Uint8Array }[]): Seen[] {
  const result: Seen[] = [];
  for (const { type, stream, payload } of frames) {
    const last = result.at(-1);
    if (type === frameTypes.data && payload.length === 0) continue;
    if (type === frameTypes.data && last?.type === type && last.stream === stream)
      last.payload.push(...payload);
    else result.push({ type, stream, payload: [...payload] });
  }
  return result;
}

test('reads what was written, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(anyFrame, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 50 })),
      (frames, cuts) => {
        const bytes = Buffer.concat(
          frames.flatMap(({ type, stream, payload }) => [frameHeader(type, stream, payload.length), payload]),
        );
        const chunks: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = cuts[turn % cuts.length] ?? bytes.length;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(parsed(chunks)).toEqual(joined(frames));
      },
    ),
    { numRuns: 500 },
  );
});

test('random bytes are read as frames or refused, never anything else', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (chunks) => {
      try {
        for (const { payload } of parsed(chunks)) expect(payload.length).toBeLessThanOrEqual(20 * 200);
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['an unknown type', [...[99, 0, 0, 1], 0, 0, 0, 0]],
  ['data that is too long', frameHeader(frameTypes.data, 1, maxDataBytes + 1)],
  ['control that is too long', frameHeader(frameTypes.open, 1, maxControlBytes + 1)],
  ['a length with its highest bit set', frameHeader(frameTypes.reset, 1, 0xff_ff_ff_ff)],
  ['credit of a wrong length', frameHeader(frameTypes.credit, 1, 3)],
  ['an end with a payload', frameHeader(frameTypes.end, 1, 1)],
])('%s is refused', (_what, bytes) => {
  expect(() => parsed([Uint8Array.from(bytes)])).toThrow(FrameError);
});
