import { createHash } from 'node:crypto';
import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { type ArchiveRow, archiveLevel } from '../store/archives.ts';
import type { Store, StoreTables } from '../store/store.ts';
import { type Author, auditEntry } from './audit-entry.ts';
import { backupConfigOf } from './backup-configs.ts';
import { type RetainedArchive, type RetentionOutcome, retain } from './retention-rules.ts';

export interface RetentionPlansParts {
  store: Store;
  clock: Clock;
}

type Candidate = RetainedArchive & { row: ArchiveRow };

export interface MadePlan {
  /** Digest of what is to be deleted. */
  digest: string;
  outcome: RetentionOutcome<Candidate>;
  deleted: number;
}

/** How long a plan that was shown may be applied. */
const planLifetimeMs = 7 * 86_400_000;

/**
 * What the rules delete, in two steps: a plan is stored and shown, and only exactly this plan is applied, by its digest.
 *
 * - What the plan names goes only if the rules, asked again in the same transaction, still let all of it go.
 * - The bytes of an archive go later, with what nobody holds.
 */
export class RetentionPlans {
  readonly #parts: RetentionPlansParts;

  constructor(parts: RetentionPlansParts) {
    this.#parts = parts;
  }

  /** Stores the plan of an organization, or of one of its devices, and returns it. Deletes nothing. */
  async plan(organizationId: string, deviceId?: string): Promise<MadePlan> {
    const { store, clock } = this.#parts;
    const outcome = await outcomeOf(store, organizationId, deviceId);
    const archives = outcome.delete.map(({ id }) => id).sort();
    const digest = digestOf(organizationId, archives);
    await store.backupConfigs.keepPlan({ organizationId, digest, archives, createdAt: clock.now() });
    return { digest, outcome, deleted: 0 };
  }

  /** Deletes what a plan names. Throws `not_found` for a plan that was never shown, `conflict` for one that does not hold any more. */
  async apply(author: Author, digest: string): Promise<MadePlan> {
    const { store, clock } = this.#parts;
    const { organizationId } = author;
    const now = clock.now();
    return store.transaction(async (tables) => {
      const plan = await tables.backupConfigs.plan(organizationId, digest);
      if (plan === undefined || plan.createdAt < now - planLifetimeMs) {
        throw new AppError(
          'not_found',
          `Retention plan ${digest} was not made here within a week: make a plan first`,
        );
      }
      if (plan.appliedAt !== null) {
        throw new AppError('conflict', `Retention plan ${digest} was applied already: make a new plan`);
      }
      const outcome = await outcomeOf(tables, organizationId, undefined);
      const going = new Map(outcome.delete.map((one) => [one.id, one]));
      const staying = plan.archives.filter((id) => !going.has(id));
      if (staying.length > 0) {
        throw new AppError(
          'conflict',
          `Retention plan ${digest} does not hold any more: ${staying.length} of its ${plan.archives.length} archives are to be kept now. Make a new plan`,
          { detail: { archives: staying.slice(0, 100) } },
        );
      }
      const gone = await tables.archives.remove(organizationId, plan.archives);
      await tables.blobs.release('archive', gone);
      await tables.backupConfigs.planApplied(organizationId, digest, now);
      const detail = { deleted: gone.length, archives: plan.archives.slice(0, 200) };
      await tables.audit.append([
        auditEntry(author, now, { action: 'backup.retention', target: digest, detail }),
      ]);
      const deleted = plan.archives.flatMap((id) => going.get(id) ?? []);
      return { digest, outcome: { keep: outcome.keep, delete: deleted }, deleted: gone.length };
    });
  }

  /** Plans that were not applied in time are forgotten. */
  prune(): Promise<number> {
    const { store, clock } = this.#parts;
    return store.backupConfigs.prunePlans(clock.now() - planLifetimeMs);
  }
}

async function outcomeOf(
  tables: StoreTables,
  organizationId: string,
  deviceId: string | undefined,
): Promise<RetentionOutcome<Candidate>> {
  const { retention } = await backupConfigOf(tables, organizationId);
  const rows = await tables.archives.all(organizationId, deviceId);
  return retain(rows.map(candidateOf), retention);
}

const candidateOf = (row: ArchiveRow): Candidate => ({
  id: row.id,
  deviceId: row.deviceId,
  storedAt: row.storedAt,
  isProven: archiveLevel(row) !== 'stored',
  isDamaged: row.damagedAt !== null,
  row,
});

const digestOf = (organizationId: string, archives: string[]): string =>
  createHash('sha256').update(JSON.stringify({ organizationId, archives })).digest('hex');
