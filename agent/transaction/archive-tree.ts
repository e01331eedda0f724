/** One thing of the machine as an archive keeps it. */
export interface TreeEntry {
  path: string;
  type: 'file' | 'link' | 'folder';
  /** Octal, as `0644`. */
  mode: string;
  owner: string;
  group: string;
  uid: number;
  gid: number;
  /** 0 unless it is a file. */
  size: number;
  mtimeMs: number;
  /** Of a link. */
  target?: string;
  /** Tells whether the file is still the one that was found. */
  stamp?: string;
}

/** What is not kept, and why. */
export interface Skipped {
  path: string;
  reason: string;
}

export interface FindOptions {
  /** Neither this nor anything below it. */
  skip(path: string): boolean;
  signal: AbortSignal;
}

/** Where the contents of an archive come from. */
export interface FileTree {
  /** What matches an absolute pattern (`*` within one name); of a folder also everything below. Links are not followed. */
  find(pattern: string, options: FindOptions): AsyncIterable<TreeEntry | Skipped>;
  /** SHA-256 of a file, hex. Throws `EntryChanged`. */
  digest(entry: TreeEntry, signal: AbortSignal): Promise<string>;
  /** Bytes of a file, `size` of them. A piece is valid until the next is asked for. Throws `EntryChanged` when it is no longer what was found: what came before must not be used then. */
  read(entry: TreeEntry): AsyncIterable<Uint8Array>;
}

/** A file was changed, replaced or removed since it was found. */
export class EntryChanged extends Error {
  override readonly name = 'EntryChanged';
  readonly path: string;

  constructor(path: string, cause?: unknown) {
    super(`${path} changed while it was read`, { cause });
    this.path = path;
  }
}

/** Whether a pattern names this path, or a folder that it lies in. */
export function covers(
  pattern: string,
  path: string,
  matches: (glob: string, path: string) => boolean,
): boolean {
  const trimmed = pattern.replace(/(?<=.)\/+$/, '');
  if (trimmed === '/') return true;
  const depth = trimmed.split('/').length;
  const names = path.split('/');
  return names.length >= depth && matches(trimmed, names.slice(0, depth).join('/'));
}
