import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all, changed } from './dialect.ts';
import { orNameTaken } from './name-taken.ts';

export interface NewRelease {
  id: string;
  organizationId: string;
  version: string;
  platform: string;
  floor: string;
  bytes: number;
  sha256: string;
  /** Text of the signature file. */
  signature: string;
  keyId: string;
  createdBy: string;
  createdAt: Instant;
}

export interface ReleaseRow extends NewRelease {
  /** Only of the one that is installed when no version is named. */
  promotedAt: Instant | null;
  yankedAt: Instant | null;
}

/** Releases of the agent. A version is there once per platform of an organization, for ever. */
export interface ReleaseStore {
  /** Throws `name_taken`. */
  insert(row: NewRelease): Promise<void>;
  get(organizationId: string, version: string, platform: string): Promise<ReleaseRow | undefined>;
  promoted(organizationId: string, platform: string): Promise<ReleaseRow | undefined>;
  /** On every platform. */
  ofVersion(organizationId: string, version: string): Promise<ReleaseRow[]>;
  /** Newest first. */
  list(organizationId: string, paging: Paging): Promise<PageOf<ReleaseRow>>;
  /** Instead of the one that was promoted for the same platform; a yanked one stays as it is. */
  promote(row: ReleaseRow, now: Instant): Promise<void>;
  yank(row: ReleaseRow, now: Instant): Promise<void>;
}

export class SqlReleaseStore implements ReleaseStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insert(row: NewRelease): Promise<void> {
    const message = () =>
      `There is a release ${row.version} for ${row.platform} already: expected another version`;
    await orNameTaken(this.#db, message, () =>
      all(
        this.#db,
        sql`
          insert into releases (
            id, organization_id, version, platform, floor, bytes, sha256, signature, key_id, created_by, created_at
          ) values (
            ${row.id}, ${row.organizationId}, ${row.version}, ${row.platform}, ${row.floor}, ${row.bytes},
            ${row.sha256}, ${row.signature}, ${row.keyId}, ${row.createdBy}, ${row.createdAt}
          )`,
      ),
    );
  }

  async get(organizationId: string, version: string, platform: string): Promise<ReleaseRow | undefined> {
    const [row] = await this.#read(
      sql`organization_id = ${organizationId} and version = ${version} and platform = ${platform}`,
    );
    return row;
  }

  async promoted(organizationId: string, platform: string): Promise<ReleaseRow | undefined> {
    const [row] = await this.#read(
      sql`organization_id = ${organizationId} and platform = ${platform} and promoted_at is not null`,
    );
    return row;
  }

  ofVersion(organizationId: string, version: string): Promise<ReleaseRow[]> {
    return this.#read(sql`organization_id = ${organizationId} and version = ${version} order by platform`);
  }

  async list(organizationId: string, { page, perPage }: Paging): Promise<PageOf<ReleaseRow>> {
    const [counted] = await all(
      this.#db,
      sql<{
        total: number;
      }>`select count(*) as total from releases where organization_id = ${organizationId}`,
    );
    const items = await this.#read(
      sql`organization_id = ${organizationId}
        order by created_at desc, id limit ${perPage} offset ${(page - 1) * perPage}`,
    );
    return { items, total: Number(counted?.total ?? 0) };
  }

  async promote({ id, organizationId, platform }: ReleaseRow, now: Instant): Promise<void> {
    await changed(
      this.#db,
      sql`
        update releases set promoted_at = null
        where organization_id = ${organizationId} and platform = ${platform} and id <> ${id}`,
    );
    await changed(
      this.#db,
      sql`update releases set promoted_at = ${now} where id = ${id} and yanked_at is null`,
    );
  }

  async yank({ id }: ReleaseRow, now: Instant): Promise<void> {
    await changed(
      this.#db,
      sql`update releases set yanked_at = ${now}, promoted_at = null where id = ${id} and yanked_at is null`,
    );
  }

  #read(where: RawBuilder<unknown>): Promise<ReleaseRow[]> {
    return all(
      this.#db,
      sql<ReleaseRow>`
        select
          id, organization_id as "organizationId", version, platform, floor, bytes, sha256, signature,
          key_id as "keyId", created_by as "createdBy", created_at as "createdAt", promoted_at as "promotedAt",
          yanked_at as "yankedAt"
        from releases where ${where}`,
    );
  }
}
