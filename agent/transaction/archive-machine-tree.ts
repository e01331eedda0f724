import { createHash } from 'node:crypto';
import { EntryChanged, type FileTree, type FindOptions, type TreeEntry } from './archive-tree.ts';
import type { FileState, TransactionMachine } from './machine.ts';

/** What a transaction's machine has: for its files as they were listed, and for machines that are no disk. */
export class MachineTree implements FileTree {
  readonly #machine: Pick<TransactionMachine, 'list' | 'read'>;

  constructor(machine: Pick<TransactionMachine, 'list' | 'read'>) {
    this.#machine = machine;
  }

  async *find(pattern: string, { skip }: FindOptions): AsyncGenerator<TreeEntry> {
    const files = await this.#machine.list([pattern], {
      maxFiles: 10_000,
      maxBytes: Number.MAX_SAFE_INTEGER,
    });
    yield* files.filter(({ path }) => !skip(path)).map(entryOfState);
  }

  async digest(entry: TreeEntry): Promise<string> {
    for await (const _chunk of this.read(entry)); // holds it against its digest
    return entry.stamp ?? '';
  }

  async *read({ path, size, stamp }: TreeEntry): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of this.#read(path)) {
      bytes += chunk.byteLength;
      if (bytes > size) throw new EntryChanged(path);
      hash.update(chunk);
      yield chunk;
    }
    if (bytes !== size || hash.digest('hex') !== stamp) throw new EntryChanged(path);
  }

  async *#read(path: string): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#machine.read(path);
    } catch (error) {
      throw new EntryChanged(path, error);
    }
  }
}

/** Its digest is the stamp. */
export const entryOfState = ({ path, mode, owner, group, size, sha256 }: FileState): TreeEntry => ({
  path,
  type: 'file',
  mode,
  owner,
  group,
  uid: numberOf(owner),
  gid: numberOf(group),
  size,
  mtimeMs: 0,
  stamp: sha256,
});

const numberOf = (name: string): number => (/^\d+$/.test(name) ? Number(name) : 0);
