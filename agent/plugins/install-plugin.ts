import { chmodSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { InstallParameters, RemoveParameters } from '../../shared/task-types/plugin-install.ts';
import type { HandlerContext } from '../handlers/handler.ts';
import type { PluginInstaller } from '../handlers/plugin-install.ts';
import { requireAdmissible } from '../releases/admission.ts';
import { bytesHeld, downloadIn, fetchArchive } from '../releases/fetch-archive.ts';
import { signedRelease, type TrustedKeys } from '../releases/trusted-release.ts';
import { unpack } from '../releases/unpack.ts';
import { requireRoot } from '../system/confine.ts';
import type { Transfers } from '../handlers/transfers.ts';
import { requireDescription } from './describe-plugin.ts';
import { PluginFolder } from './plugin-folder.ts';
import { readPluginTree } from './plugin-tree.ts';
import { requireUser } from './plugin-user.ts';

export interface InstallParts {
  /** Of releases. */
  folder: string;
  trusted: TrustedKeys;
  transfers: Pick<Transfers, 'download'>;
  platform: string;
  /** As whom plugins may run here. */
  users: string[];
}

/**
 * Installs and removes plugins.
 *
 * - `current` moves in one step, to a tree that is whole on the disk and was tried; until then the version before is the one that runs.
 * - Whatever was cut off before is thrown away by the next attempt; whatever was done is found done.
 * - Two versions are on the disk at most.
 */
export const createPluginInstaller = (parts: InstallParts): PluginInstaller => ({
  install: (wish, context) => install(parts, wish, context),
  remove: (wish, context) => remove(parts, wish, context),
});

async function install(
  parts: InstallParts,
  wish: InstallParameters & { name: string },
  context: HandlerContext,
) {
  requireRoot();
  const { name, version } = wish;
  const release = signedRelease(wish, parts.trusted);
  const folder = new PluginFolder(parts.folder, name);
  folder.create();
  const tree = `${version}_${context.code}`;
  const before = previousOf(folder, context);
  if (folder.tree !== tree) {
    const archive = downloadIn(folder.path, wish.sha256);
    folder.keepOnly([folder.tree, basename(archive)]);
    requireAdmissible(release.manifest, {
      platform: parts.platform,
      floor: folder.floor.version,
      folder: folder.path,
      held: bytesHeld(archive),
    });
    await fetchArchive(
      archive,
      { code: context.code, sha256: wish.sha256, bytes: wish.bytes },
      {
        release,
        download: (request, signal) => parts.transfers.download(request, signal),
        signal: context.signal,
        progress: (bytes) =>
          context.progress({ percent: Math.floor((bytes / wish.bytes) * 50), message: 'downloading' }),
      },
    );
    context.progress({ percent: 60, message: 'unpacking' });
    try {
      await unpack(archive, join(folder.path, tree), {
        maxBytes: release.manifest.unpacked_bytes,
        signal: context.signal,
        prove: (draft) => prove(parts, { draft, name, version }, context),
      });
    } finally {
      rmSync(archive, { force: true });
    }
    context.signal.throwIfAborted();
  }
  const old = folder.tree;
  folder.switchTo(tree);
  folder.floor.raise(release.manifest.floor);
  folder.keepOnly([tree, old]);
  return { name, previous_version: before, version };
}

/** Before it becomes the one that runs: its files, its user, and what it says of itself. */
async function prove(
  { users }: InstallParts,
  { draft, name, version }: { draft: string; name: string; version: string },
  context: HandlerContext,
): Promise<void> {
  const manifest = readPluginTree(draft, { name, version });
  requireUser(manifest, users);
  chmodSync(draft, 0o755); // its user runs it from there
  context.progress({ percent: 80, message: 'asking it what it is' });
  await requireDescription({ folder: draft, manifest }, context);
}

async function remove(
  { folder: releases }: InstallParts,
  { name }: RemoveParameters,
  context: HandlerContext,
) {
  requireRoot();
  const folder = new PluginFolder(releases, name);
  const before = previousOf(folder, context);
  if (folder.exists) {
    folder.switchOff();
    folder.keepOnly([]);
  }
  return { name, previous_version: before, version: null };
}

/** What ran when this task began, also when it is picked up after its switch. */
function previousOf({ tree }: PluginFolder, { journal }: HandlerContext): string | null {
  const note = journal.read() as { previousVersion?: string | null } | undefined;
  const version = note?.previousVersion ?? (note ? null : (tree?.slice(0, tree.lastIndexOf('_')) ?? null));
  if (!note) journal.write({ previousVersion: version });
  return version;
}
