import {
  constants,
  createZstdCompress,
  createZstdDecompress,
  type ZstdCompress,
  type ZstdDecompress,
} from 'node:zlib';

/** Every piece goes to another thread and back, which on a busy machine takes longer than the work: so they are few. */
const pieceBytes = 4 * 1024 * 1024;

/** One zstd frame with a checksum. Pieces of `plain` need to be valid only until the next is asked for. */
export const compress = (plain: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> =>
  through(
    createZstdCompress({ chunkSize: pieceBytes, params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
    plain,
  );

/** Throws when it is no whole frame. Pieces of `compressed` need to be valid only until the next is asked for. */
export const decompress = (compressed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> =>
  through(createZstdDecompress({ chunkSize: pieceBytes / 4 }), compressed);

async function* through(
  zstd: ZstdCompress | ZstdDecompress,
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const source = input[Symbol.asyncIterator]();
  const fed = feed(source, zstd).catch((error: unknown) => {
    zstd.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  fed.catch(() => undefined); // told below
  try {
    for await (const chunk of zstd as AsyncIterable<Buffer>) yield chunk;
    await fed;
  } finally {
    zstd.destroy();
    // Nobody feeds any more, and whoever was to be read is to be closed.
    await source.return?.();
  }
}

/** Gathers pieces, many of them short, and fills one buffer while the other is worked on. */
async function feed(
  source: AsyncIterator<Uint8Array, unknown>,
  zstd: ZstdCompress | ZstdDecompress,
): Promise<void> {
  let [filling, spare] = [Buffer.allocUnsafe(pieceBytes), Buffer.allocUnsafe(pieceBytes)];
  let used = 0;
  let working = Promise.resolve();
  const flush = async (): Promise<void> => {
    await working;
    working = take(zstd, filling.subarray(0, used));
    working.catch(() => undefined); // told at the next flush
    [filling, spare] = [spare, filling];
    used = 0;
  };
  for (;;) {
    const { value: piece, done } = await source.next();
    if (done) break;
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + pieceBytes - used);
      filling.set(part, used);
      used += part.length;
      at += part.length;
      if (used === pieceBytes) await flush();
    }
  }
  await flush();
  await working;
  zstd.end();
}

const take = (zstd: ZstdCompress | ZstdDecompress, bytes: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    zstd.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
