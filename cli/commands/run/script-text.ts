import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { CliError, usageError } from '../../cli-error.ts';

const maxBytes = 256 * 1024;

/** The text of a file, or of standard input for `-`. */
export async function readText(file: string, stdin: Readable): Promise<string> {
  const bytes = file === '-' ? await collect(stdin) : await fileBytes(file);
  if (bytes.length > maxBytes) throw usageError(`${nameOf(file)} has more than ${maxBytes / 1024} KiB`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw usageError(`${nameOf(file)} is not UTF-8 text`);
  }
}

/** Program and options of a script’s first line, as the kernel reads it: at most one option. */
export function shebangOf(script: string): string[] | undefined {
  const line = /^#!\s*(\S+)(?:[ \t]+(\S.*?))?\s*$/m.exec(script.split('\n', 1)[0] ?? '');
  if (line?.[1] === undefined) return undefined;
  const [, program, option] = line;
  // `env -S` is the way to write several options.
  if (option?.startsWith('-S ')) return [program, ...option.slice(3).trim().split(/\s+/)];
  return option === undefined ? [program] : [program, option];
}

async function collect(stdin: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stdin) {
    const bytes = Buffer.from(part as Uint8Array);
    parts.push(bytes);
    size += bytes.length;
    if (size > maxBytes) break;
  }
  return Buffer.concat(parts);
}

async function fileBytes(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new CliError('usage', `cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

const nameOf = (file: string): string => (file === '-' ? 'standard input' : file);
