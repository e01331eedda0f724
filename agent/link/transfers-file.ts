import { open, stat } from 'node:fs/promises';
import { WrongAnswer } from './transfers-retries.ts';
import type { UploadContent } from './transfers-upload.ts';

export interface FileToUpload {
  file: string;
  size: number;
  sha256: string;
}

const readBytes = 256 * 1024;

/** A file that waits to be brought. */
export function fileContent({ file, size, sha256 }: FileToUpload): UploadContent {
  const requireSize = async (): Promise<void> => {
    const found = await stat(file);
    if (found.size !== size) throw new WrongAnswer(`${file} has ${found.size} bytes, expected ${size}`);
  };
  return {
    holds: (offset) => offset <= size,
    async ready(offset) {
      await requireSize();
      return size - offset;
    },
    async *read(offset, end) {
      await using handle = await open(file, 'r');
      const buffer = Buffer.allocUnsafe(Math.min(readBytes, end - offset));
      for (let at = offset; at < end; ) {
        const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at);
        if (bytesRead === 0) throw new WrongAnswer(`${file} was cut while it was sent`);
        yield buffer.subarray(0, bytesRead);
        at += bytesRead;
      }
    },
    letGo: () => undefined,
    proof: () => ({ size, sha256 }),
  };
}
