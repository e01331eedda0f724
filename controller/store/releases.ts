import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { agentPackage } from '../../shared/release.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all, changed } from './dialect.ts';
import { orNameTaken } from './name-taken.ts';

export interface NewRelease {
  id: string;
  organizationId: string;
  /** `muster-agent`, or of a plugin. */
  name: string;
  version: string;
  platform: string;
  floor: string;
  bytes: number;
  sha256: string;
  /** Text of the signature file. */
  signature: string;
  keyId: string;
  /** Manifest of a plugin, as JSON text. */
  plugin: string | null;
  createdBy: string;
  createdAt: Instant;
}

export interface ReleaseRow extends Omit<NewRelease, 'plugin'> {
  /** Only of the one that is installed when no version is named. */
  promotedAt: Instant | null;
  yankedAt: Instant | null;
}

/** One package for one kind of device. */
export interface ReleaseOf {
  organizationId: string;
  name: string;
  platform: string;
}

/** What can be installed of a plugin. */
export interface PluginRelease {
  id: string;
  name: string;
  version: string;
  platform: string;
  promotedAt: Instant | null;
}

/** Releases of the agent and of plugins. A version is there once per name and platform of an organization, for ever. */
export interface ReleaseStore {
  /** Throws `name_taken`. */
  insert(row: NewRelease): Promise<void>;
  get(of: ReleaseOf, version: string): Promise<ReleaseRow | undefined>;
  promoted(of: ReleaseOf): Promise<ReleaseRow | undefined>;
  /** On every platform. */
  ofVersion(organizationId: string, name: string, version: string): Promise<ReleaseRow[]>;
  /** Newest first. */
  list(organizationId: string, paging: Paging): Promise<PageOf<ReleaseRow>>;
  /** Instead of the one that was promoted of the same name for the same platform; a yanked one stays as it is. */
  promote(row: ReleaseRow, now: Instant): Promise<void>;
  yank(row: ReleaseRow, now: Instant): Promise<void>;
  /** Of plugins, or of one; yanked ones are left out. */
  plugins(organizationId: string, name?: string): Promise<PluginRelease[]>;
  /** Manifests of plugins, as JSON text, by id. */
  manifests(ids: string[]): Promise<Map<string, string>>;
}

export class SqlReleaseStore implements ReleaseStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insert(row: NewRelease): Promise<void> {
    const message = () =>
      `There is a release ${row.version} of ${row.name} for ${row.platform} already: expected another version`;
    await orNameTaken(this.#db, message, () =>
      all(
        this.#db,
        sql`
          insert into releases (
            id, organization_id, name, version, platform, floor, bytes, sha256, signature, key_id, plugin,
            created_by, created_at
          ) values (
            ${row.id}, ${row.organizationId}, ${row.name}, ${row.version}, ${row.platform}, ${row.floor},
            ${row.bytes}, ${row.sha256}, ${row.signature}, ${row.keyId}, ${row.plugin}, ${row.createdBy},
            ${row.createdAt}
          )`,
      ),
    );
  }

  async get(of: ReleaseOf, version: string): Promise<ReleaseRow | undefined> {
    const [row] = await this.#read(sql`${isOf(of)} and version = ${version}`);
    return row;
  }

  async promoted(of: ReleaseOf): Promise<ReleaseRow | undefined> {
    const [row] = await this.#read(sql`${isOf(of)} and promoted_at is not null`);
    return row;
  }

  ofVersion(organizationId: string, name: string, version: string): Promise<ReleaseRow[]> {
    return this.#read(
      sql`organization_id = ${organizationId} and name = ${name} and version = ${version} order by platform`,
    );
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

  async promote(row: ReleaseRow, now: Instant): Promise<void> {
    const { id } = row;
    await changed(this.#db, sql`update releases set promoted_at = null where ${isOf(row)} and id <> ${id}`);
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

  plugins(organizationId: string, name?: string): Promise<PluginRelease[]> {
    const named = name === undefined ? sql`name <> ${agentPackage}` : sql`name = ${name}`;
    return all(
      this.#db,
      sql<PluginRelease>`
        select id, name, version, platform, promoted_at as "promotedAt" from releases
        where organization_id = ${organizationId} and ${named} and plugin is not null and yanked_at is null
        order by name, platform`,
    );
  }

  async manifests(ids: string[]): Promise<Map<string, string>> {
    if (ids.length === 0) return new Map();
    const rows = await all(
      this.#db,
      sql<{ id: string; plugin: string }>`
        select id, plugin from releases where id in ${this.#db.dialect.list(ids)} and plugin is not null`,
    );
    return new Map(rows.map(({ id, plugin }) => [id, plugin]));
  }

  #read(where: RawBuilder<unknown>): Promise<ReleaseRow[]> {
    return all(
      this.#db,
      sql<ReleaseRow>`
        select
          id, organization_id as "organizationId", name, version, platform, floor, bytes, sha256, signature,
          key_id as "keyId", created_by as "createdBy", created_at as "createdAt", promoted_at as "promotedAt",
          yanked_at as "yankedAt"
        from releases where ${where}`,
    );
  }
}

const isOf = ({ organizationId, name, platform }: ReleaseOf): RawBuilder<unknown> =>
  sql`organization_id = ${organizationId} and name = ${name} and platform = ${platform}`;
