import type { SnapshotRetention } from '../../shared/api/configs.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Store } from '../store/store.ts';
import { Archives } from './archives.ts';
import { controllerAuthor } from './audit-entry.ts';
import { BlobGarbage } from './blobs-garbage.ts';
import { type BlobStore, Blobs } from './blobs.ts';
import type { MinisignKey } from '../../shared/node/minisign.ts';
import { Releases } from './releases.ts';
import { RetentionPlans } from './retention-plans.ts';
import { SharedCommits } from './shared-commits.ts';
import { Snapshots } from './snapshots.ts';
import { Uploads } from './uploads.ts';

export interface ContentParts {
  bytes: BlobStore;
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  /** What devices bring lies here until it is complete. */
  uploadsFolder: string;
  /** Whether the rules for archives are applied without being asked; `plan` only makes plans and says so. */
  backupRetention?: 'off' | 'plan' | 'apply';
  snapshotRetention?: SnapshotRetention;
  /** Who may sign releases of the agent; none are taken without. */
  releaseKeys?: MinisignKey[];
}

/** Everything that keeps bytes: what devices bring, versions of configurations, backups. */
export interface Content {
  blobs: Blobs;
  uploads: Uploads;
  snapshots: Snapshots;
  archives: Archives;
  retention: RetentionPlans;
  releases: Releases;
  /** One pass over what is not needed any more; called again and again. */
  houseKeep(signal: AbortSignal): Promise<void>;
}

export function createContent(parts: ContentParts): Content {
  const { bytes, store, clock, random, log, uploadsFolder, snapshotRetention } = parts;
  const retained = snapshotRetention === undefined ? {} : { retention: snapshotRetention };
  const commits = new SharedCommits({ store, clock });
  const blobs = new Blobs({ bytes, store, commits, clock });
  const uploads = new Uploads({ folder: uploadsFolder, blobs, store, log });
  const garbage = new BlobGarbage({ bytes, store, clock, log });
  const retention = new RetentionPlans({ store, clock });
  const keys = parts.releaseKeys ?? [];
  const releases = new Releases({ store, blobs, clock, random, folder: uploadsFolder, keys });
  return {
    blobs,
    uploads,
    snapshots: new Snapshots({ store, blobs, commits, clock, ...retained }),
    archives: new Archives({ store, blobs, clock, random }),
    retention,
    releases,
    async houseKeep(signal) {
      await uploads.sweep(signal);
      await releases.sweep();
      await garbage.collect(signal);
      await retention.prune();
      await retainUnasked(parts, retention, signal);
    },
  };
}

async function retainUnasked(
  { store, log, backupRetention = 'off' }: ContentParts,
  retention: RetentionPlans,
  signal: AbortSignal,
): Promise<void> {
  if (backupRetention === 'off') return;
  for (const organizationId of await store.archives.organizations()) {
    if (signal.aborted) return;
    const { digest, outcome } = await retention.plan(organizationId);
    const archives = outcome.delete.length;
    if (archives === 0) continue;
    log.info({ organizationId, plan: digest, archives }, 'the rules for backups would delete archives');
    if (backupRetention === 'apply') await retention.apply(controllerAuthor(organizationId), digest);
  }
}
