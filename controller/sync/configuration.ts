import type { Plan, PlanRequest, SyncStatus } from '../../shared/api/sync.ts';
import type { RunAnswer } from '../../shared/api/tasks.ts';
import type { z } from 'zod';
import { Bundles } from '../content/bundles.ts';
import type { Author } from '../content/audit-entry.ts';
import { DeviceProfiles } from '../content/device-profiles.ts';
import { TemplateRenderer } from '../content/render.ts';
import { SecretBox } from '../content/secret-box.ts';
import type { MasterKey } from '../content/secret-key.ts';
import { Variables } from '../content/variables.ts';
import type { OrganizationRow, PageOf } from '../store/access.ts';
import type { TaskRow } from '../store/tasks.ts';
import { applySync, type SyncOrder } from './apply.ts';
import type { SyncParts } from './parts.ts';
import { planSync } from './plan.ts';
import { releaseContents } from './release.ts';
import { restore, type RestoreOrder } from './restore.ts';
import { secretsFor } from './secrets-for.ts';
import { syncStatus } from './status.ts';

/** Desired configuration: what people write, what devices shall be, and how it gets there. */
export interface Configuration {
  readonly bundles: Bundles;
  readonly variables: Variables;
  plan(organization: OrganizationRow, request: z.output<typeof PlanRequest>): Promise<Plan>;
  /** `submit` instead of the usual one, for what is added to the submission. */
  apply(order: SyncOrder, submit?: SyncParts['submit']): ReturnType<typeof applySync>;
  status(
    organization: OrganizationRow,
    page: Parameters<typeof syncStatus>[2],
  ): Promise<PageOf<z.output<typeof SyncStatus>>>;
  release(
    author: Author,
    what: { device: { id: string; name: string }; content: string | undefined },
  ): Promise<string[]>;
  restore(order: RestoreOrder): Promise<{ answer: RunAnswer; replayed: boolean }>;
  /** For the device of a SYNC that is IN_PROGRESS. */
  secretsFor(task: TaskRow): Promise<Uint8Array>;
}

export interface ConfigurationParts
  extends Pick<SyncParts, 'store' | 'clock' | 'random' | 'submit' | 'blobs' | 'view'> {
  masterKey: MasterKey;
  /** The shipped ones unless said otherwise. */
  profiles?: DeviceProfiles;
}

export function createConfiguration(given: ConfigurationParts): Configuration {
  const { store, clock, random, masterKey, profiles = new DeviceProfiles() } = given;
  const renderer = new TemplateRenderer(random);
  const box = new SecretBox(masterKey, random);
  const parts: SyncParts = { ...given, renderer, box, profiles };
  return {
    bundles: new Bundles({ store, clock, random, renderer, profiles }),
    variables: new Variables({ store, clock, box }),
    plan: (organization, request) => planSync(parts, organization, request),
    apply: (order, submit = parts.submit) => applySync({ ...parts, submit }, order),
    status: (organization, page) => syncStatus(parts, organization, page),
    release: (author, what) => releaseContents(parts, author, what),
    restore: (order) => restore(parts, order),
    secretsFor: (task) => secretsFor(parts, task),
  };
}
