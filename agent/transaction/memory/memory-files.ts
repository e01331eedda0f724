import { createHash } from 'node:crypto';
import { TaskError } from '../../../shared/errors.ts';
import { matchesGlob } from '../../../shared/glob.ts';
import type { FileState, Owner } from '../machine.ts';

export interface MemoryFile extends Owner {
  text: string;
}

/** Files as programs see them, and as a power cut would leave them. */
export class MemoryFiles {
  #visible = new Map<string, MemoryFile>();
  #durable = new Map<string, MemoryFile>();

  get(path: string): MemoryFile | undefined {
    return this.#visible.get(path);
  }

  /** Texts by path, sorted. */
  texts(): [string, string][] {
    return [...this.#visible].map(([path, { text }]): [string, string] => [path, text]).sort(byPath);
  }

  durableTexts(): [string, string][] {
    return [...this.#durable].map(([path, { text }]): [string, string] => [path, text]).sort(byPath);
  }

  /** A change that a power cut takes back, until `sync`. */
  set(path: string, file: MemoryFile | undefined): void {
    if (file) this.#visible.set(path, file);
    else this.#visible.delete(path);
  }

  sync(path: string): void {
    const file = this.#visible.get(path);
    if (file) this.#durable.set(path, file);
    else this.#durable.delete(path);
  }

  /** As somebody with an editor would: on the disk at once. */
  edit(path: string, text: string, owner: Partial<Owner> = {}): void {
    this.set(path, { text, mode: '0644', owner: 'root', group: 'root', ...owner });
    this.sync(path);
  }

  powerCut(): void {
    this.#visible = new Map(this.#durable);
  }

  list(globs: string[], { maxFiles, maxBytes }: { maxFiles: number; maxBytes: number }): FileState[] {
    const found = [...this.#visible]
      .filter(([path]) => globs.some((glob) => matchesGlob(glob, path)))
      .map(([path, file]) => stateOf(path, file))
      .sort((left, right) => (left.path < right.path ? -1 : 1));
    if (found.length > maxFiles) {
      throw new TaskError('too_many_files', `More than ${maxFiles} files match ${globs.join(' ')}`);
    }
    const large = found.find(({ size }) => size > maxBytes);
    if (large) throw new TaskError('file_too_large', `${large.path} is larger than ${maxBytes} bytes`);
    return found;
  }

  save(): [string, MemoryFile][] {
    return structuredClone([...this.#durable]);
  }

  load(files: [string, MemoryFile][]): void {
    this.#durable = new Map(structuredClone(files));
    this.#visible = new Map(this.#durable);
  }
}

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

const stateOf = (path: string, { text, mode, owner, group }: MemoryFile): FileState => ({
  path,
  mode,
  owner,
  group,
  size: Buffer.byteLength(text),
  sha256: digestOf(text),
});

const byPath = ([left]: [string, string], [right]: [string, string]): number => (left < right ? -1 : 1);
