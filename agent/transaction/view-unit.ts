import { createHash } from 'node:crypto';
import type { Unit } from '../../shared/device-profile.ts';
import { TaskError } from '../../shared/errors.ts';
import { matchesGlob } from '../../shared/glob.ts';
import { viewOf } from '../../shared/view-rules.ts';
import { liveFiles, stateOf } from './live-files.ts';
import type { FileState, TransactionMachine } from './machine.ts';
import { isOwnPath } from './own-paths.ts';
import type { TransactionKeys } from './transaction-parts.ts';
import { incompleteness } from './view-guards.ts';
import type { ViewFile } from './view-file.ts';

export interface ReadingParts {
  machine: TransactionMachine;
  keys: Pick<TransactionKeys, 'stateDigest' | 'secretToken'>;
  ownPaths: string[];
  signal: AbortSignal;
  /** Throws when this and what was read before is too much. */
  count(bytes: number): void;
}

/** A unit's files as they were at one moment. */
export interface UnitReading {
  files: FileState[];
  /** Keyed digest of the files. */
  state: string;
  /** Why a file is not whole. */
  incomplete: string | undefined;
}

const attempts = 3;

/** Reads the files twice; both readings must be the same, else `TaskError('unstable')`. Their view goes to `view`, as elements of a JSON list. */
export async function readUnit(unit: Unit, view: ViewFile, parts: ReadingParts): Promise<UnitReading> {
  const begin = view.size;
  for (let attempt = 1; ; attempt += 1) {
    parts.signal.throwIfAborted();
    const listed = await liveFiles(unit, parts.machine);
    try {
      return await readOnce(unit, listed, view, parts);
    } catch (error) {
      await view.rewind(begin);
      if (!(error instanceof Changed) || attempt === attempts) {
        throw error instanceof Changed ? new TaskError('unstable', error.message) : error;
      }
    }
  }
}

class Changed extends Error {}

async function readOnce(
  unit: Unit,
  listed: FileState[],
  view: ViewFile,
  parts: ReadingParts,
): Promise<UnitReading> {
  let incomplete: string | undefined;
  let isFirst = true;
  const files = listed.filter(({ path }) => !isOwnPath(path, parts.ownPaths));
  for (const file of files) {
    const bytes = await readSame(file, parts);
    const shown = show(unit, file, bytes, parts);
    incomplete ??= shown.incomplete && `${file.path} ${shown.incomplete}`;
    await view.write(`${isFirst ? '' : ','}${JSON.stringify(shown.entry)}`);
    isFirst = false;
  }
  parts.count(files.reduce((sum, { size }) => sum + size, 0));
  return { files, state: stateOf(listed, parts.keys), incomplete };
}

/** The bytes, if they are still those that were listed. */
async function readSame({ path, size, sha256 }: FileState, { machine }: ReadingParts): Promise<Buffer> {
  const hash = createHash('sha256');
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const changed = () => new Changed(`${path} was not the same when it was read again`);
  try {
    for await (const chunk of machine.read(path)) {
      bytes += chunk.byteLength;
      if (bytes > size) throw changed();
      hash.update(chunk);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof Changed) throw error;
    throw new Changed(error instanceof Error ? error.message : String(error), { cause: error });
  }
  if (bytes !== size || hash.digest('hex') !== sha256) throw changed();
  return Buffer.concat(chunks);
}

function show(
  unit: Unit,
  { path, mode, owner, group, sha256 }: FileState,
  bytes: Buffer,
  { keys }: ReadingParts,
): { entry: Record<string, string>; incomplete: string | undefined } {
  const entry = { path, mode, owner, group };
  const withhold = (withheld: string) => ({ ...entry, withheld, token: keys.secretToken(sha256) });
  const text = decode(bytes);
  const incomplete = incompleteness(unit, text ?? '', bytes.length);
  if (unit.paths.some((managed) => managed.secret && matchesGlob(managed.glob, path))) {
    return { entry: withhold('the whole file is a secret'), incomplete };
  }
  if (text === undefined) return { entry: withhold('it is no text'), incomplete };
  const shown = viewOf(text, unit, tokenOf(keys));
  return { entry: 'text' in shown ? { ...entry, text: shown.text } : withhold(shown.withheld), incomplete };
}

/** How a secret shows in a view. */
export const tokenOf =
  (keys: Pick<TransactionKeys, 'secretToken'>) =>
  (value: string): string =>
    `<secret:${keys.secretToken(value)}>`;

function decode(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
