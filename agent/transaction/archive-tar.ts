import { archiveManifestName } from '../../shared/archive-name.ts';
import type { ArchivedEntry } from './archive-contents.ts';
import { endOfTar, padding, tarHeader } from './archive-tar-header.ts';
import type { FileTree } from './archive-tree.ts';

export interface TarContent {
  manifest?: { text: string; atMs: number };
  entries: readonly ArchivedEntry[];
  tree: FileTree;
}

/** Name of a file within the tar. */
export const nameInTar = (path: string): string => `files${path}`;

/**
 * The manifest, then the files in their order. A piece is valid until the next is asked for. Throws `EntryChanged` when a file is no
 * longer what was found.
 */
export async function* packTar({ manifest, entries, tree }: TarContent): AsyncGenerator<Uint8Array> {
  if (manifest) {
    const text = Buffer.from(manifest.text);
    const owner = { owner: 'root', group: 'root', uid: 0, gid: 0, mtimeMs: manifest.atMs };
    yield tarHeader({ type: 'file', mode: '0600', size: text.length, ...owner }, archiveManifestName);
    yield text;
    yield padding(text.length);
  }
  for (const entry of entries) {
    yield tarHeader(entry, nameInTar(entry.path));
    if (entry.type !== 'file') continue;
    yield* tree.read(entry);
    yield padding(entry.size);
  }
  yield endOfTar();
}
