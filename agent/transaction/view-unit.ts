import { createHash } from 'node:crypto';
import type { Unit } from '../../shared/device-profile.ts';
import { TaskError } from '../../shared/errors.ts';
import { matchesGlob } from '../../shared/glob.ts';
import { ViewInPieces } from '../../shared/view-pieces.ts';
import { liveFiles, stateOf } from './live-files.ts';
import type { FileState, TransactionMachine } from './machine.ts';
import { isOwnPath } from './own-paths.ts';
import type { TransactionKeys } from './transaction-parts.ts';
import { Completeness } from './view-guards.ts';
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
    if (!isFirst) await view.write(',');
    const problem = await showFile(unit, file, view, parts);
    incomplete ??= problem && `${file.path} ${problem}`;
    isFirst = false;
  }
  parts.count(files.reduce((sum, { size }) => sum + size, 0));
  return { files, state: stateOf(listed, parts.keys), incomplete };
}

/** Writes a file into the view while it is read, piece by piece; why it is not whole, or undefined. */
async function showFile(
  unit: Unit,
  file: FileState,
  view: ViewFile,
  parts: ReadingParts,
): Promise<string | undefined> {
  const { path, mode, owner, group, size, sha256 } = file;
  const entry = { path, mode, owner, group };
  const isSecret = unit.paths.some((managed) => managed.secret && matchesGlob(managed.glob, path));
  const shown = isSecret ? undefined : new ViewInPieces(unit, tokenOf(parts.keys));
  const complete = unit.complete && new Completeness(unit.complete);
  const texts = new TextPieces();
  const begin = view.size;
  const write = (text: string): Promise<void> => view.write(JSON.stringify(text).slice(1, -1));

  if (shown) await view.write(`${JSON.stringify(entry).slice(0, -1)},"text":"`);
  for await (const bytes of readSame(file, parts)) {
    const text = texts.add(bytes);
    complete?.add(text);
    if (shown) await write(shown.add(text));
  }
  const isText = texts.end();
  const problem = (isText ? complete : unit.complete && new Completeness(unit.complete))?.problem(size);
  if (shown && isText) await write(shown.end());
  const withheld = isSecret ? 'the whole file is a secret' : isText ? shown?.withheld : 'it is no text';
  if (withheld === undefined) {
    await view.write('"}');
    return problem;
  }
  await view.rewind(begin);
  await view.write(JSON.stringify({ ...entry, withheld, token: parts.keys.secretToken(sha256) }));
  return problem;
}

/** The bytes. Throws after the last one when they are not those that were listed. */
async function* readSame(
  { path, size, sha256 }: FileState,
  { machine }: ReadingParts,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  const changed = () => new Changed(`${path} was not the same when it was read again`);
  try {
    for await (const chunk of machine.read(path)) {
      bytes += chunk.byteLength;
      if (bytes > size) throw changed();
      hash.update(chunk);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof Changed) throw error;
    throw new Changed(error instanceof Error ? error.message : String(error), { cause: error });
  }
  if (bytes !== size || hash.digest('hex') !== sha256) throw changed();
}

/** How a secret shows in a view. */
export const tokenOf =
  (keys: Pick<TransactionKeys, 'secretToken'>) =>
  (value: string): string =>
    `<secret:${keys.secretToken(value)}>`;

/** UTF-8 in pieces. */
class TextPieces {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #isText = true;

  /** Empty once it is known to be no text. */
  add(bytes: Uint8Array): string {
    this.#isText &&= !bytes.includes(0);
    return this.#decode(bytes);
  }

  /** Whether all of it was text. */
  end(): boolean {
    this.#decode();
    return this.#isText;
  }

  #decode(bytes?: Uint8Array): string {
    if (!this.#isText) return '';
    try {
      return this.#decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      this.#isText = false;
      return '';
    }
  }
}
