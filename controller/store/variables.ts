import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all, changed } from './dialect.ts';

export interface VariableKeyRow {
  organizationId: string;
  scope: 'organization' | 'label' | 'device';
  /** Empty, `key=value`, or the id of the device. */
  key: string;
  name: string;
}

export interface VariableRow extends VariableKeyRow {
  /** JSON text; null when secret. */
  value: string | null;
  /** Of a secret: its ciphertext, the key it was sealed with, and a keyed digest that changes with the value. */
  sealed: string | null;
  keyId: string | null;
  tag: string | null;
  updatedBy: string;
  updatedAt: Instant;
}

export interface VariableFilter {
  organizationId: string;
  scope?: VariableKeyRow['scope'];
  key?: string;
}

/** Values that templates are rendered with. One per (organization, scope, key, name). */
export interface VariableStore {
  put(row: VariableRow): Promise<void>;
  get(key: VariableKeyRow): Promise<VariableRow | undefined>;
  remove(key: VariableKeyRow): Promise<boolean>;
  /** Of a device that is removed. */
  removeDevice(deviceId: string): Promise<void>;
  /** By name, scope and key. */
  list(filter: VariableFilter, paging: Paging): Promise<PageOf<VariableRow>>;
  count(organizationId: string): Promise<number>;
  /** Those of the organization and of label groups, and those of the given devices. */
  forDevices(organizationId: string, deviceIds: string[]): Promise<VariableRow[]>;
}

export class SqlVariableStore implements VariableStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async put(row: VariableRow): Promise<void> {
    await all(
      this.#db,
      sql`
        insert into variables (
          organization_id, scope, key, name, value, sealed, key_id, tag, updated_by, updated_at
        ) values (
          ${row.organizationId}, ${row.scope}, ${row.key}, ${row.name}, ${row.value}, ${row.sealed}, ${row.keyId},
          ${row.tag}, ${row.updatedBy}, ${row.updatedAt}
        )
        on conflict (organization_id, scope, key, name) do update set
          value = excluded.value, sealed = excluded.sealed, key_id = excluded.key_id, tag = excluded.tag,
          updated_by = excluded.updated_by, updated_at = excluded.updated_at`,
    );
  }

  async get(key: VariableKeyRow): Promise<VariableRow | undefined> {
    const [row] = await this.#read(sameKey(key));
    return row;
  }

  async remove(key: VariableKeyRow): Promise<boolean> {
    return (await changed(this.#db, sql`delete from variables where ${sameKey(key)}`)) > 0;
  }

  async removeDevice(deviceId: string): Promise<void> {
    await all(
      this.#db,
      sql`
        delete from variables
        where organization_id = (select organization_id from devices where id = ${deviceId})
          and scope = 'device' and key = ${deviceId}`,
    );
  }

  async list(filter: VariableFilter, paging: Paging): Promise<PageOf<VariableRow>> {
    const conditions = [sql`organization_id = ${filter.organizationId}`];
    if (filter.scope !== undefined) conditions.push(sql`scope = ${filter.scope}`);
    if (filter.key !== undefined) conditions.push(sql`key = ${filter.key}`);
    const where = sql.join(conditions, sql` and `);
    const [count] = await all(
      this.#db,
      sql<{ total: number }>`select count(*) as total from variables where ${where}`,
    );
    const limit = sql`limit ${paging.perPage} offset ${(paging.page - 1) * paging.perPage}`;
    return { items: await this.#read(where, limit), total: count?.total ?? 0 };
  }

  async count(organizationId: string): Promise<number> {
    return (await this.list({ organizationId }, { page: 1, perPage: 0 })).total;
  }

  forDevices(organizationId: string, deviceIds: string[]): Promise<VariableRow[]> {
    const { dialect } = this.#db;
    return this.#read(
      sql`organization_id = ${organizationId}
        and (scope in ('organization', 'label') or (scope = 'device' and key in ${dialect.list(deviceIds)}))`,
    );
  }

  #read(where: RawBuilder<unknown>, limit: RawBuilder<unknown> = sql``): Promise<VariableRow[]> {
    return all(
      this.#db,
      sql<VariableRow>`
        select organization_id as "organizationId", scope, key, name, value, sealed, key_id as "keyId", tag,
          updated_by as "updatedBy", updated_at as "updatedAt"
        from variables where ${where} order by name, scope, key ${limit}`,
    );
  }
}

const sameKey = ({ organizationId, scope, key, name }: VariableKeyRow): RawBuilder<unknown> =>
  sql`organization_id = ${organizationId} and scope = ${scope} and key = ${key} and name = ${name}`;
