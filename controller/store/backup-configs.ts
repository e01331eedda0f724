import { sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { type Db, all } from './dialect.ts';

/** What is to be deleted, as it was shown before. */
export interface RetentionPlanRow {
  organizationId: string;
  /** Of the list; says which plan is meant. */
  digest: string;
  /** Ids of the archives that go. */
  archives: string[];
  createdAt: Instant;
  appliedAt: Instant | null;
}

/** How each organization wants its backups, and what its rules were shown to delete. */
export interface BackupConfigStore {
  /** JSON text. */
  get(organizationId: string): Promise<string | undefined>;
  set(organizationId: string, config: string, now: Instant): Promise<void>;

  /** The same plan again counts as shown now, and not applied yet. */
  keepPlan(plan: Omit<RetentionPlanRow, 'appliedAt'>): Promise<void>;
  plan(organizationId: string, digest: string): Promise<RetentionPlanRow | undefined>;
  /** False when it was applied before. */
  planApplied(organizationId: string, digest: string, now: Instant): Promise<boolean>;
  prunePlans(before: Instant): Promise<number>;
}

export class SqlBackupConfigStore implements BackupConfigStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async get(organizationId: string): Promise<string | undefined> {
    const [row] = await all(
      this.#db,
      sql<{ config: string }>`select config from backup_configs where organization_id = ${organizationId}`,
    );
    return row?.config;
  }

  async set(organizationId: string, config: string, now: Instant): Promise<void> {
    await all(
      this.#db,
      sql`
        insert into backup_configs (organization_id, config, updated_at)
        values (${organizationId}, ${config}, ${now})
        on conflict (organization_id) do update set config = excluded.config, updated_at = excluded.updated_at`,
    );
  }

  async keepPlan(plan: Omit<RetentionPlanRow, 'appliedAt'>): Promise<void> {
    const { organizationId, digest, archives, createdAt } = plan;
    await all(
      this.#db,
      sql`
        insert into retention_plans (organization_id, digest, archives, created_at)
        values (${organizationId}, ${digest}, ${JSON.stringify(archives)}, ${createdAt})
        on conflict (organization_id, digest) do update set created_at = excluded.created_at, applied_at = null`,
    );
  }

  async plan(organizationId: string, digest: string): Promise<RetentionPlanRow | undefined> {
    const [row] = await all(
      this.#db,
      sql<Omit<RetentionPlanRow, 'archives'> & { archives: string }>`
        select organization_id as "organizationId", digest, archives, created_at as "createdAt",
          applied_at as "appliedAt"
        from retention_plans where organization_id = ${organizationId} and digest = ${digest}`,
    );
    return row && { ...row, archives: JSON.parse(row.archives) };
  }

  async planApplied(organizationId: string, digest: string, now: Instant): Promise<boolean> {
    const rows = await all(
      this.#db,
      sql`
        update retention_plans set applied_at = ${now}
        where organization_id = ${organizationId} and digest = ${digest} and applied_at is null
        returning digest`,
    );
    return rows.length > 0;
  }

  async prunePlans(before: Instant): Promise<number> {
    const rows = await all(
      this.#db,
      sql`delete from retention_plans where created_at < ${before} returning digest`,
    );
    return rows.length;
  }
}
