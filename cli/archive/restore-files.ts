import { createHash } from 'node:crypto';
import type { Device } from '../../shared/api/devices.ts';
import type { RestoreRequest } from '../../shared/api/sync.ts';
import { ageEncrypt } from '../../shared/node/age.ts';
import { AgeRecipient } from '../../shared/task-types/pull.ts';
import { CliError, usageError } from '../cli-error.ts';
import { bytesText } from '../output/bytes.ts';
import { mapInterfaces } from './interface-map.ts';
import type { RestorableFile } from './selection.ts';

/** Bounds of one restore: the files travel in one request of at most 32 MiB, encrypted and in base64. */
export const restoreLimits = { files: 2000, fileBytes: 8 * 1024 * 1024, bytes: 22 * 1024 * 1024 };

/** Refuses before anything is kept in memory. */
export function checkLimits(files: readonly RestorableFile[], archive: string): void {
  if (files.length === 0) throw usageError(`nothing of archive ${archive} would be restored`);
  const { files: maxFiles, fileBytes, bytes: maxBytes } = restoreLimits;
  const hint = 'Restore a part of it: --path';
  if (files.length > maxFiles) throw usageError(`${files.length} files are more than ${maxFiles}`, hint);
  const large = files.find(({ size }) => size > fileBytes);
  if (large !== undefined) {
    throw usageError(`${large.path} has ${bytesText(large.size)}, more than ${bytesText(fileBytes)}`, hint);
  }
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (bytes > maxBytes) {
    throw usageError(`the files have ${bytesText(bytes)}, more than ${bytesText(maxBytes)}`, hint);
  }
}

/** Who can read what is sent to the device: only itself. */
export function recipientOfDevice({ name, facts }: Pick<Device, 'name' | 'facts'>): string {
  const { data } = AgeRecipient.safeParse(facts?.encryption_recipient);
  if (data !== undefined) return data;
  throw new CliError('failed', `${name} has not told a key to encrypt for`, {
    code: 'no_recipient',
    hint: 'Its agent tells it with its facts: is it up to date, and was it online once?',
  });
}

export interface Encryption {
  recipient: string;
  interfaces: Record<string, string>;
}

export interface MappedFile {
  path: string;
  changed: boolean;
}

/** Each file encrypted for the device, with names of interfaces replaced in texts. */
export async function filesForDevice(
  files: readonly RestorableFile[],
  contents: ReadonlyMap<string, Buffer>,
  { recipient, interfaces }: Encryption,
): Promise<{ files: RestoreRequest['files']; mapped: MappedFile[] }> {
  const encrypted: RestoreRequest['files'] = [];
  const mapped: MappedFile[] = [];
  for (const { path, unit, mode, owner, group } of files) {
    const before = contents.get(path);
    if (before === undefined) throw new Error(`the content of ${path} was not kept`);
    const content = withInterfaces(before, interfaces);
    mapped.push({ path, changed: !content.equals(before) });
    const sha256 = createHash('sha256').update(content).digest('hex');
    encrypted.push({
      path,
      unit,
      mode,
      owner,
      group,
      sha256,
      content: await encryptedFor(recipient, content),
    });
  }
  return { files: encrypted, mapped };
}

/** Only texts are changed. */
function withInterfaces(content: Buffer, interfaces: Record<string, string>): Buffer {
  if (Object.keys(interfaces).length === 0 || content.includes(0)) return content;
  const text = content.toString('utf8');
  if (!Buffer.from(text, 'utf8').equals(content)) return content;
  return Buffer.from(mapInterfaces(text, interfaces), 'utf8');
}

async function encryptedFor(recipient: string, content: Buffer): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of ageEncrypt(once(content), [recipient])) parts.push(part);
  return Buffer.concat(parts).toString('base64');
}

async function* once(content: Buffer): AsyncGenerator<Uint8Array> {
  yield content;
}
