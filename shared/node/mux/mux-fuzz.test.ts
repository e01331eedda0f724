import fc from 'fast-check';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Mux } from './mux.ts';
import type { MuxStream } from './mux-stream.ts';

/** What one end of a stream gave and got; bytes are told by their place in a sequence of their own for each direction. */
interface Half {
  stream: MuxStream;
  /** Of the sequence that this side sends. */
  seed: number;
  sent: number;
  hasEnded: boolean;
  got: Buffer[];
  sawEnd: boolean;
  isPaused: boolean;
}

const byteAt = (seed: number, place: number): number => (place * 31 + seed * 131 + (place >>> 8)) & 0xff;
function sequence(seed: number, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index += 1) bytes[index] = byteAt(seed, from + index);
  return bytes;
}

const pick = fc.nat({ max: 1_000_000 });
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('open' as const), side: fc.nat(1) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      pick,
      bytes: fc.oneof(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 400_000 })),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('destroy' as const), pick, fails: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pause' as const), pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('resume' as const), pick }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('wait' as const), turns: fc.integer({ min: 1, max: 8 }) }),
  },
);
const finish = fc.constantFrom('drain', 'cut', 'garbage', 'close');

/** Two ends of a session over a connection that hands bytes on in pieces of random size. */
class Pair {
  readonly muxes: [Mux, Mux];
  readonly sockets: [Duplex, Duplex];
  readonly halves: Half[] = [];
  readonly byStream = new Map<string, [Half | undefined, Half | undefined]>();
  readonly ends: string[] = [];
  #seeds = 0;

  constructor(pieces: number[]) {
    const [near, nearFar] = duplexPair();
    const [farNear, far] = duplexPair();
    let at = 0;
    const carry = (from: Duplex, to: Duplex): void => {
      from.on('data', (chunk: Buffer) => {
        for (let place = 0; place < chunk.length; ) {
          const size = pieces[at++ % pieces.length] ?? 1;
          if (!to.write(chunk.subarray(place, place + size))) from.pause();
          place += size;
        }
      });
      to.on('drain', () => from.resume());
      from
        .on('end', () => to.end())
        .on('error', () => {})
        .on('close', () => to.destroy());
    };
    carry(nearFar, farNear);
    carry(farNear, nearFar);
    this.sockets = [near, far];
    const mux = (side: 0 | 1): Mux =>
      new Mux(this.sockets[side], {
        side: side === 0 ? 'operator' : 'device',
        onStream: (stream) => this.#add(side, stream),
        onClose: (code) => this.ends.push(code),
      });
    for (const socket of this.sockets) socket.on('error', () => {});
    this.muxes = [mux(0), mux(1)];
  }

  open(side: number): void {
    const mux = this.muxes[side === 0 ? 0 : 1];
    if (mux.streams < 20 && !mux.isOver) this.#add(side === 0 ? 0 : 1, mux.open(Buffer.from('{}')));
  }

  #add(side: 0 | 1, stream: MuxStream): void {
    const half: Half = {
      stream,
      seed: this.#seeds++,
      sent: 0,
      hasEnded: false,
      got: [],
      sawEnd: false,
      isPaused: false,
    };
    stream.on('data', (chunk: Buffer) => half.got.push(Buffer.from(chunk)));
    stream.on('end', () => {
      half.sawEnd = true;
    });
    this.halves.push(half);
    const known = this.byStream.get(String(stream.id)) ?? [undefined, undefined];
    known[side] = half;
    this.byStream.set(String(stream.id), known);
  }

  /** Bytes that came are a prefix of those that were sent, and an end comes after all of them only. */
  check(): void {
    for (const [first, second] of this.byStream.values()) {
      for (const [from, to] of [
        [first, second],
        [second, first],
      ]) {
        if (!to) continue;
        const got = Buffer.concat(to.got);
        if (!from) {
          expect(got.length).toBe(0);
          continue;
        }
        expect(got.length).toBeLessThanOrEqual(from.sent);
        expect(got.equals(sequence(from.seed, 0, got.length))).toBe(true);
        if (to.sawEnd)
          expect({ ended: from.hasEnded, bytes: got.length }).toEqual({ ended: true, bytes: from.sent });
      }
    }
  }
}

function apply(pair: Pair, step: Exclude<Step, { do: 'wait' }>): void {
  if (step.do === 'open') return pair.open(step.side);
  const half = pair.halves[step.pick % Math.max(1, pair.halves.length)];
  if (!half || half.stream.destroyed) return;
  const { stream } = half;
  if (step.do === 'write' && !half.hasEnded && stream.writableLength < 1_000_000) {
    stream.write(sequence(half.seed, half.sent, step.bytes));
    half.sent += step.bytes;
  }
  if (step.do === 'end' && !half.hasEnded) {
    half.hasEnded = true;
    stream.end();
  }
  if (step.do === 'destroy') stream.destroy(step.fails ? new Error('enough') : undefined);
  if (step.do === 'pause') stream.pause();
  if (step.do === 'resume') stream.resume();
}

type Step =
  | { do: 'open'; side: number }
  | { do: 'write'; pick: number; bytes: number }
  | { do: 'end' | 'pause' | 'resume'; pick: number }
  | { do: 'destroy'; pick: number; fails: boolean }
  | { do: 'wait'; turns: number };

async function turns(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await turn();
}

test('whatever both sides do, and wherever the connection breaks: nothing altered, nothing short that looks complete', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 1, maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 10 }),
      finish,
      async (steps, pieces, ending) => {
        const pair = new Pair(pieces.map((size, index) => (index % 3 === 0 ? (size % 50) + 16 : size)));
        for (const step of steps as Step[]) {
          if (step.do === 'wait') await turns(step.turns);
          else apply(pair, step);
        }
        pair.check();
        if (ending === 'cut') pair.sockets[0].destroy();
        if (ending === 'garbage') pair.sockets[0].write(Buffer.alloc(64, 0xee));
        if (ending === 'close') pair.muxes[1].close('closedByPerson', 'enough');
        for (const { stream } of pair.halves) if (!stream.destroyed) stream.resume();
        await settled(pair, ending);
        pair.check();
        if (ending === 'drain') {
          // Nothing broke: whatever was not thrown away by somebody arrives.
          for (const [first, second] of pair.byStream.values()) {
            if (!first || !second || first.stream.errored || second.stream.errored) continue;
            if (first.hasEnded && second.hasEnded && first.sawEnd && second.sawEnd) continue;
            for (const [from, to] of [
              [first, second],
              [second, first],
            ] as const) {
              if (from.stream.destroyed || to.stream.destroyed) continue;
              expect(Buffer.concat(to.got).length).toBe(from.sent);
              expect(to.sawEnd).toBe(from.hasEnded);
            }
          }
        } else {
          expect(pair.ends).toHaveLength(2);
          expect(pair.muxes.map((mux) => mux.streams)).toEqual([0, 0]);
        }
      },
    ),
    { numRuns: 300 },
  );
}, 120_000);

/** Until nothing moves any more. */
async function settled(pair: Pair, ending: string): Promise<void> {
  let before = '';
  for (let round = 0; round < 400; round += 1) {
    await turns(20);
    const now = pair.muxes.map((mux) => `${mux.bytesReceived} ${mux.bytesSent} ${mux.streams}`).join(' ');
    if (now === before && (ending === 'drain' || pair.ends.length === 2)) return;
    before = now;
  }
}
