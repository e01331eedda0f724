import type { Clock, Random } from '../../shared/clock.ts';
import type { ConfigView } from '../../shared/task-types/pull.ts';
import type { BlobRef } from '../store/blobs.ts';
import type { SnapshotRow } from '../store/snapshots.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { DeviceProfiles } from '../content/device-profiles.ts';
import type { TemplateRenderer } from '../content/render.ts';
import type { SecretBox } from '../content/secret-box.ts';
import type { Submission, Submitted } from '../tasks/submit.ts';

/** What desired configuration needs of the rest of the controller. */
export interface SyncParts {
  store: Store;
  clock: Clock;
  random: Random;
  renderer: TemplateRenderer;
  box: SecretBox;
  profiles: DeviceProfiles;
  submit(submission: Submission): Promise<Submitted>;
  /** Bytes that are too large for the database. */
  blobs: {
    keep(bytes: Uint8Array): Promise<string>;
    hold(tables: StoreTables, refs: BlobRef[]): Promise<void>;
  };
  /** What a PULL saw. */
  view(snapshot: SnapshotRow): Promise<ConfigView>;
}
