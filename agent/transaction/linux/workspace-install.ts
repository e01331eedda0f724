import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TaskError } from '../../../shared/errors.ts';
import type { WantedFile } from '../machine.ts';
import { AccountNames } from './managed-files-owner.ts';
import { draftOf, type SnapshotEntry } from './snapshot.ts';
import { isFull, makeFolder } from './workspace-durable.ts';
import type { Puts } from './workspace-puts.ts';

export interface Installation {
  entry: SnapshotEntry;
  staged: WantedFile & { staged: string };
}

/** Makes the finished file beside its real path, brings it to the disk, and has it renamed. */
export async function installFile(id: string, { entry, staged }: Installation, puts: Puts): Promise<void> {
  await makeFolder(dirname(staged.path), 0o755);
  const draft = draftOf(id, entry);
  try {
    await puts.write(async () => {
      await rm(draft, { force: true });
      await write(draft, staged);
    });
    await puts.put(draft, staged.path);
  } catch (error) {
    await rm(draft, { force: true });
    if (!isFull(error)) throw error;
    throw new TaskError('disk_full', `There is no room for ${staged.path}`, { cause: error });
  }
}

async function write(draft: string, wanted: Installation['staged']): Promise<void> {
  const names = await AccountNames.load();
  const uid = await names.idOf('passwd', wanted.owner);
  const gid = await names.idOf('group', wanted.group);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  await using handle = await open(draft, flags, 0o600);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(wanted.staged) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    await handle.writeFile(chunk);
  }
  if (hash.digest('hex') !== wanted.sha256) {
    throw new TaskError(
      'guard_failed',
      `${wanted.path} is no longer what was staged: the disk is at fault, or somebody changed it`,
    );
  }
  await handle.chown(uid, gid); // before the mode: a change of owner takes set-id bits away
  await handle.chmod(Number.parseInt(wanted.mode, 8));
  await handle.sync();
}
