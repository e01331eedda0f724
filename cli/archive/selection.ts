import type { ArchiveManifest } from '../../shared/task-types/backup.ts';
import { isMeant } from './path-pattern.ts';

type ManifestFile = ArchiveManifest['files'][number];

/** A file that can be restored: a regular one that a unit of the device profile manages. */
export type RestorableFile = ManifestFile & { unit: string; sha256: string };

export interface Selection {
  chosen: RestorableFile[];
  left: { path: string; reason: string }[];
}

export interface Wish {
  /** Patterns; undefined: everything. */
  paths?: string[] | undefined;
  /** Secret files and the identity of the machine too. */
  withSecrets: boolean;
  isSecret(file: ManifestFile): boolean;
}

/** What of an archive is restored, and what is left out for which reason. Folders come by themselves. */
export function select(manifest: ArchiveManifest, wish: Wish): Selection {
  const selection: Selection = { chosen: [], left: [] };
  for (const file of manifest.files) {
    if (file.type === 'folder') continue;
    if (wish.paths !== undefined && !wish.paths.some((pattern) => isMeant(file.path, pattern))) continue;
    const reason = reasonAgainst(file, wish);
    if (reason === undefined) selection.chosen.push(file as RestorableFile);
    else selection.left.push({ path: file.path, reason });
  }
  return selection;
}

/** The agent's own: restored, it would take itself for another device, or talk to another controller. */
const agentFolders = ['/var/lib/muster-agent', '/etc/muster', '/run/muster-agent'];
/** Who a machine is; on another machine there would be two of it. */
const machineIdentity = ['/etc/machine-id', '/etc/ssh/ssh_host_*'];

function reasonAgainst(file: ManifestFile, { withSecrets, isSecret }: Wish): string | undefined {
  if (file.type !== 'file' || file.sha256 === undefined) return 'only regular files are restored';
  if (agentFolders.some((folder) => isMeant(file.path, folder))) return 'it is the agent’s own';
  if (file.unit === null) return 'no unit of the device profile manages it';
  if (withSecrets) return undefined;
  if (machineIdentity.some((pattern) => isMeant(file.path, pattern))) {
    return 'it is the identity of the machine; --with-secrets restores it';
  }
  return isSecret(file) ? 'it is secret; --with-secrets restores it' : undefined;
}
