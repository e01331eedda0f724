/**
 * BLAKE2b with a digest of 32 bytes (RFC 7693), of at most 128 bytes: one block. OpenSSL has it with 64 bytes only, and a shorter digest is
 * another function.
 */
export function blake2b256(input: Uint8Array): Buffer {
  if (input.length > 128) throw new RangeError(`expected at most 128 bytes, got ${input.length}`);
  const block = Buffer.alloc(128);
  block.set(input);
  const words = Array.from({ length: 16 }, (_, index) => block.readBigUInt64LE(index * 8));
  // The parameter block: no key, 32 bytes of digest.
  const state = iv.map((word, index) => (index === 0 ? word ^ 0x01010020n : word));
  const work = [...state, ...iv];
  change(work, 12, (word) => word ^ BigInt(input.length));
  change(work, 14, (word) => word ^ mask);
  for (let round = 0; round < 12; round += 1) {
    const order = sigma[round % 10] ?? [];
    for (const [at, [a, b, c, d]] of lanes.entries()) {
      const [first, second] = [order[2 * at], order[2 * at + 1]].map((index) => words[index ?? 0] ?? 0n);
      change(work, a, (word) => word + of(work, b) + (first ?? 0n));
      change(work, d, (word) => rotate(word ^ of(work, a), 32n));
      change(work, c, (word) => word + of(work, d));
      change(work, b, (word) => rotate(word ^ of(work, c), 24n));
      change(work, a, (word) => word + of(work, b) + (second ?? 0n));
      change(work, d, (word) => rotate(word ^ of(work, a), 16n));
      change(work, c, (word) => word + of(work, d));
      change(work, b, (word) => rotate(word ^ of(work, c), 63n));
    }
  }
  const digest = Buffer.alloc(32);
  for (let at = 0; at < 4; at += 1) {
    digest.writeBigUInt64LE(of(state, at) ^ of(work, at) ^ of(work, at + 8), at * 8);
  }
  return digest;
}

const mask = 0xffffffffffffffffn;

const of = (words: bigint[], at: number): bigint => words[at] ?? 0n;

function change(words: bigint[], at: number, to: (word: bigint) => bigint): void {
  words[at] = to(of(words, at)) & mask;
}

const rotate = (word: bigint, by: bigint): bigint => (word >> by) | (word << (64n - by));

const iv = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
];

/** Columns, then diagonals. */
const lanes = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;

const sigma = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];
