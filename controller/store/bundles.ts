import { sql } from 'kysely';
import type { BundleTargets } from '../../shared/api/bundles.ts';
import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all, atomically, changed } from './dialect.ts';

export interface BundleFileRow {
  path: string;
  unit: string;
  /** Digest of the template in `texts`; null: the file must not exist. */
  template: string | null;
  mode: string | null;
  owner: string | null;
  group: string | null;
}

export interface NewBundle {
  /** Kept only when there was no bundle of this name. */
  id: string;
  organizationId: string;
  name: string;
  profile: string;
  description: string;
  targets: BundleTargets;
  files: BundleFileRow[];
  updatedBy: string;
}

export interface BundleRow extends Omit<NewBundle, 'files'> {
  revision: number;
  fileCount: number;
  createdAt: Instant;
  /** When this revision was made. */
  updatedAt: Instant;
}

/** Bundles with their revisions. Names are unique within an organization. */
export interface BundleStore {
  /** Makes the bundle, or a new revision of it; returns the number. The texts of its templates are there already. */
  put(bundle: NewBundle, now: Instant): Promise<number>;
  /** The newest revision unless said otherwise. */
  get(organizationId: string, name: string, revision?: number): Promise<BundleRow | undefined>;
  /** By path. */
  files(id: string, revision: number): Promise<BundleFileRow[]>;
  /** Newest revisions, by name. */
  all(organizationId: string): Promise<BundleRow[]>;
  list(organizationId: string, paging: Paging): Promise<PageOf<BundleRow>>;
  count(organizationId: string): Promise<number>;
  /** With all revisions; false when there is none. */
  remove(organizationId: string, name: string): Promise<boolean>;
}

/** Revisions kept of each bundle. */
export const maxRevisions = 100;

export class SqlBundleStore implements BundleStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  put(bundle: NewBundle, now: Instant): Promise<number> {
    return atomically(this.#db, async (db) => {
      const [head] = await all(
        db,
        sql<{ id: string; revision: number }>`
          insert into bundles (id, organization_id, name, revision, created_at)
          values (${bundle.id}, ${bundle.organizationId}, ${bundle.name}, 1, ${now})
          on conflict (organization_id, name) do update set revision = bundles.revision + 1
          returning id, revision`,
      );
      if (head === undefined) throw new Error(`the bundle ${bundle.name} could not be written`);
      await insertRevision(db, { ...bundle, ...head }, now);
      await all(
        db,
        sql`delete from bundle_revisions
          where bundle_id = ${head.id} and revision <= ${head.revision - maxRevisions}`,
      );
      return head.revision;
    });
  }

  async get(organizationId: string, name: string, revision?: number): Promise<BundleRow | undefined> {
    const [row] = await readBundles(this.#db, {
      where: sql`b.organization_id = ${organizationId} and b.name = ${name}`,
      revision: revision === undefined ? sql`b.revision` : sql`${revision}`,
    });
    return row;
  }

  async files(id: string, revision: number): Promise<BundleFileRow[]> {
    return all(
      this.#db,
      sql<BundleFileRow>`
        select path, unit, template, mode, owner, group_name as "group" from bundle_files
        where bundle_id = ${id} and revision = ${revision} order by path`,
    );
  }

  all(organizationId: string): Promise<BundleRow[]> {
    return readBundles(this.#db, { where: sql`b.organization_id = ${organizationId}` });
  }

  async list(organizationId: string, paging: Paging): Promise<PageOf<BundleRow>> {
    const items = await readBundles(this.#db, {
      where: sql`b.organization_id = ${organizationId}`,
      limit: sql`limit ${paging.perPage} offset ${(paging.page - 1) * paging.perPage}`,
    });
    return { items, total: await this.count(organizationId) };
  }

  async count(organizationId: string): Promise<number> {
    const [row] = await all(
      this.#db,
      sql<{
        total: number;
      }>`select count(*) as total from bundles where organization_id = ${organizationId}`,
    );
    return row?.total ?? 0;
  }

  async remove(organizationId: string, name: string): Promise<boolean> {
    const count = await changed(
      this.#db,
      sql`delete from bundles where organization_id = ${organizationId} and name = ${name}`,
    );
    return count > 0;
  }
}

async function insertRevision(db: Db, bundle: NewBundle & { revision: number }, now: Instant): Promise<void> {
  const { id, revision, files } = bundle;
  await all(
    db,
    sql`
      insert into bundle_revisions (
        bundle_id, revision, profile, description, targets, file_count, created_by, created_at
      ) values (
        ${id}, ${revision}, ${bundle.profile}, ${bundle.description}, ${JSON.stringify(bundle.targets)},
        ${files.length}, ${bundle.updatedBy}, ${now}
      )`,
  );
  const columns = {
    path: 'text',
    unit: 'text',
    template: 'text',
    mode: 'text',
    owner: 'text',
    groupName: 'text',
  } as const;
  const rows = files.map(({ group, ...file }) => ({ ...file, groupName: group }));
  await all(
    db,
    sql`
      insert into bundle_files (bundle_id, revision, path, unit, template, mode, owner, group_name)
      select ${id}, ${revision}, path, unit, template, mode, owner, group_name
      from ${db.dialect.rows('j', columns, rows)}`,
  );
}

type RawSql = ReturnType<typeof sql>;

async function readBundles(
  db: Db,
  { where, revision = sql`b.revision`, limit = sql`` }: { where: RawSql; revision?: RawSql; limit?: RawSql },
): Promise<BundleRow[]> {
  const rows = await all(
    db,
    sql<Omit<BundleRow, 'targets'> & { targets: string }>`
      select b.id, b.organization_id as "organizationId", b.name, r.revision, r.profile, r.description, r.targets,
        r.file_count as "fileCount", r.created_by as "updatedBy", b.created_at as "createdAt",
        r.created_at as "updatedAt"
      from bundles as b join bundle_revisions as r on r.bundle_id = b.id and r.revision = ${revision}
      where ${where}
      order by b.name ${limit}`,
  );
  return rows.map((row) => ({ ...row, targets: JSON.parse(row.targets) }));
}
