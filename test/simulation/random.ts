import type { Random } from '../../shared/clock.ts';

/** Randomness that a seed decides: the same seed gives the same run. */
export interface SeededRandom extends Random {
  /** A whole number from `least` to `most`, both included. */
  integer(least: number, most: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(items: readonly [T, ...T[]]): T;
  /** Picks by weight: `{ crash: 3, cut: 1 }` gives `crash` three times out of four. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name;
  /** An independent stream: what one part draws does not shift what another part draws. */
  split(name: string): SeededRandom;
}

/** sfc32 (Chris Doty-Humphrey), seeded through a hash of the text. */
export function seededRandom(seed: string): SeededRandom {
  const next = sfc32(seed);
  const fraction = (): number => next() / 0x1_0000_0000;
  const integer = (least: number, most: number): number =>
    least + Math.floor(fraction() * (most - least + 1));

  return {
    fraction,
    integer,
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
    uuid: () => formatUuid(Uint8Array.from({ length: 16 }, () => next() & 0xff)),
    chance: (probability) => fraction() < probability,
    pick: (items) => items[integer(0, items.length - 1)] ?? items[0],
    weighted: (weights) => pickByWeight(weights, fraction()),
    split: (name) => seededRandom(`${seed}/${name}`),
  };
}

function pickByWeight<Name extends string>(weights: Readonly<Record<Name, number>>, fraction: number): Name {
  const names = Object.keys(weights) as Name[];
  let rest = fraction * names.reduce((sum, name) => sum + weights[name], 0);
  for (const name of names) {
    rest -= weights[name];
    if (rest < 0) return name;
  }
  throw new Error('weights must not all be zero');
}

function sfc32(seed: string): () => number {
  let [a, b, c, counter] = [hash(seed, 1), hash(seed, 2), hash(seed, 3), 1];
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round += 1) next();
  return next;
}

/** FNV-1a with a final mix. */
function hash(text: string, salt: number): number {
  let value = 0x811c9dc5 ^ salt;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  return (value ^ (value >>> 13)) | 0;
}

function formatUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  const variant = '89ab'.charAt((bytes[8] ?? 0) & 3);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
