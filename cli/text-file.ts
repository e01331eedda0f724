import { readFile, stat } from 'node:fs/promises';
import { CliError, usageError } from './cli-error.ts';

/** The text of a file; an error names it when it cannot be read, is too long, or is no text. */
export async function textFile(path: string, maxBytes: number): Promise<string> {
  const bytes = await bytesOf(path, maxBytes);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw usageError(`${path} is not UTF-8 text`);
  }
}

async function bytesOf(path: string, maxBytes: number): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) throw usageError(`${path} has ${size} bytes, more than ${maxBytes}`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError('usage', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}
