import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib';

/** Every piece goes to another thread and back, which on a busy machine takes longer than the work: so they are few. */
const pieceBytes = 4 * 1024 * 1024;

/** One zstd frame with a checksum. Pieces of `plain` need to be valid only until the next is asked for. */
export async function* compress(plain: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const zstd = createZstdCompress({
    chunkSize: pieceBytes,
    params: { [constants.ZSTD_c_checksumFlag]: 1 },
  });
  const source = plain[Symbol.asyncIterator]();
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

/** Gathers pieces, many of them short, and fills one buffer while the other is compressed. */
async function feed(plain: AsyncIterator<Uint8Array, unknown>, zstd: ZstdCompress): Promise<void> {
  let [filling, spare] = [Buffer.allocUnsafe(pieceBytes), Buffer.allocUnsafe(pieceBytes)];
  let used = 0;
  let compressing = Promise.resolve();
  const flush = async (): Promise<void> => {
    await compressing;
    compressing = take(zstd, filling.subarray(0, used));
    compressing.catch(() => undefined); // told at the next flush
    [filling, spare] = [spare, filling];
    used = 0;
  };
  for (;;) {
    const { value: piece, done } = await plain.next();
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
  await compressing;
  zstd.end();
}

const take = (zstd: ZstdCompress, bytes: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    zstd.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
