import type { ArchivedEntry } from './archive-contents.ts';

const blockBytes = 512;
/** What seven octal digits hold, and eleven. */
const maxSmall = 0o7777777;
const maxLarge = 0o77777777777;

/** The tar header of one entry (POSIX ustar; what does not fit into it stands in a pax header before it). */
export function tarHeader(entry: Omit<ArchivedEntry, 'unit' | 'stamp' | 'path'>, name: string): Buffer {
  const full = entry.type === 'folder' ? `${name}/` : name;
  const target = entry.target ?? '';
  const long: Record<string, string | undefined> = {
    path: fits(full, 100) ? undefined : full,
    linkpath: fits(target, 100) ? undefined : target,
    size: entry.size > maxLarge ? String(entry.size) : undefined,
    uid: entry.uid > maxSmall ? String(entry.uid) : undefined,
    gid: entry.gid > maxSmall ? String(entry.gid) : undefined,
    uname: fits(entry.owner, 32) ? undefined : entry.owner,
    gname: fits(entry.group, 32) ? undefined : entry.group,
  };
  const records = Object.entries(long)
    .map(([key, value]) => (value === undefined ? '' : paxRecord(key, value)))
    .join('');
  const own = block({ ...entry, name: full, target, typeflag: typeflags[entry.type] });
  if (records === '') return own;
  const body = Buffer.from(records);
  const plain = { mode: '0644', uid: 0, gid: 0, owner: '', group: '', mtimeMs: entry.mtimeMs, target: '' };
  const pax = block({ ...plain, name: 'PaxHeader', size: body.length, typeflag: 'x' });
  return Buffer.concat([pax, body, padding(body.length), own]);
}

/** What follows a file's content, up to the next block. */
export const padding = (size: number): Buffer =>
  Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes);

export const endOfTar = (): Buffer => Buffer.alloc(2 * blockBytes);

const typeflags = { file: '0', link: '2', folder: '5' } as const;

interface Block {
  name: string;
  mode: string;
  uid: number;
  gid: number;
  size: number;
  mtimeMs: number;
  typeflag: string;
  target: string;
  owner: string;
  group: string;
}

function block(fields: Block): Buffer {
  const bytes = Buffer.alloc(blockBytes);
  const put = (text: string, at: number, length: number): void => {
    bytes.set(Buffer.from(text).subarray(0, length), at);
  };
  const seconds = Math.min(maxLarge, Math.max(0, Math.floor(fields.mtimeMs / 1000)));
  put(fields.name, 0, 100);
  put(octal(Number.parseInt(fields.mode, 8), 7), 100, 8);
  put(octal(fields.uid > maxSmall ? 0 : fields.uid, 7), 108, 8);
  put(octal(fields.gid > maxSmall ? 0 : fields.gid, 7), 116, 8);
  put(octal(fields.size > maxLarge ? 0 : fields.size, 11), 124, 12);
  put(octal(seconds, 11), 136, 12);
  put(' '.repeat(8), 148, 8);
  put(fields.typeflag, 156, 1);
  put(fields.target, 157, 100);
  put('ustar\0' + '00', 257, 8);
  put(fields.owner, 265, 32);
  put(fields.group, 297, 32);
  put(octal(0, 7), 329, 8);
  put(octal(0, 7), 337, 8);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  put(`${octal(sum, 6)}\0 `, 148, 8);
  return bytes;
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');

/** Plain text of less than so many bytes: others read longer or other text from the pax header only. */
const fits = (text: string, bytes: number): boolean => text.length < bytes && /^[\x20-\x7e]*$/.test(text);

/** `LENGTH key=value\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  const digits = String(bytes + String(bytes).length).length;
  return `${bytes + digits}${rest}`;
}
