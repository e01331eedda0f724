import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all } from './dialect.ts';

export interface NewArchive {
  id: string;
  organizationId: string;
  deviceId: string;
  /** Code of the BACKUP that made it. */
  task: string | null;
  size: number;
  sha256: string;
  manifestSha256: string;
  /** Keyed digest over what is in it. */
  content: string;
  files: number;
  /** By the clock of the device. */
  madeAt: Instant;
  /** By the clock of the controller: what counts. */
  storedAt: Instant;
  recipients: string[];
  statement: string;
  signature: string;
  deviceKey: string;
}

export interface ArchiveRow extends NewArchive {
  deviceName: string;
  organizationName: string;
  readableAt: Instant | null;
  restorableAt: Instant | null;
  verifiedAt: Instant | null;
  unchangedAt: Instant | null;
  damagedAt: Instant | null;
  damage: string | null;
}

export type ArchiveLevel = 'stored' | 'readable' | 'restorable';

/** The highest level that was proven. */
export const archiveLevel = (row: Pick<ArchiveRow, 'readableAt' | 'restorableAt'>): ArchiveLevel => {
  if (row.restorableAt !== null) return 'restorable';
  return row.readableAt === null ? 'stored' : 'readable';
};

export interface ArchiveFilter {
  organizationId: string;
  deviceIds?: string[];
  level?: ArchiveLevel;
}

/** What may be noted of an archive. A proof that succeeds lifts what an earlier one found wrong. */
export type ArchiveNote =
  | { kind: 'readable' | 'restorable' | 'verified' | 'unchanged' }
  | { kind: 'damaged'; damage: string };

export interface ArchiveStore {
  /** Throws when the task has made one already. */
  insert(row: NewArchive): Promise<void>;
  get(organizationId: string, id: string): Promise<ArchiveRow | undefined>;
  byTask(task: string): Promise<ArchiveRow | undefined>;
  /** Archives of the device with these bytes, newest first. */
  withBytes(deviceId: string, sha256: string): Promise<ArchiveRow[]>;
  /** Newest first. */
  list(filter: ArchiveFilter, paging: Paging): Promise<PageOf<ArchiveRow>>;
  /** Oldest first, devices together. */
  all(organizationId: string, deviceId?: string): Promise<ArchiveRow[]>;
  /** Per device the newest that is whole and was read back. */
  newestProven(deviceIds: string[]): Promise<ArchiveRow[]>;
  note(id: string, note: ArchiveNote, now: Instant): Promise<void>;
  /** Returns those that were there. */
  remove(organizationId: string, ids: string[]): Promise<string[]>;
  organizations(): Promise<string[]>;
}

export class SqlArchiveStore implements ArchiveStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insert(row: NewArchive): Promise<void> {
    await all(
      this.#db,
      sql`
        insert into archives (
          id, organization_id, device_id, task, size, sha256, manifest_sha256, content, files, made_at, stored_at,
          verified_at, recipients, statement, signature, device_key
        ) values (
          ${row.id}, ${row.organizationId}, ${row.deviceId}, ${row.task}, ${row.size}, ${row.sha256},
          ${row.manifestSha256}, ${row.content}, ${row.files}, ${row.madeAt}, ${row.storedAt}, ${row.storedAt},
          ${JSON.stringify(row.recipients)}, ${row.statement}, ${row.signature}, ${row.deviceKey}
        )`,
    );
  }

  async get(organizationId: string, id: string): Promise<ArchiveRow | undefined> {
    return (await this.#read(sql`a.organization_id = ${organizationId} and a.id = ${id}`))[0];
  }

  async byTask(task: string): Promise<ArchiveRow | undefined> {
    return (await this.#read(sql`a.task = ${task}`))[0];
  }

  withBytes(deviceId: string, sha256: string): Promise<ArchiveRow[]> {
    return this.#read(sql`a.device_id = ${deviceId} and a.sha256 = ${sha256} order by a.stored_at desc`);
  }

  async list(filter: ArchiveFilter, { page, perPage }: Paging): Promise<PageOf<ArchiveRow>> {
    const matching = this.#conditions(filter);
    const [count] = await all(
      this.#db,
      sql<{ total: number }>`select count(*) as total from archives as a where ${matching}`,
    );
    const items = await this.#read(sql`
      ${matching}
      order by a.stored_at desc, a.id desc
      limit ${perPage} offset ${(page - 1) * perPage}`);
    return { items, total: count?.total ?? 0 };
  }

  all(organizationId: string, deviceId?: string): Promise<ArchiveRow[]> {
    const one = deviceId === undefined ? sql`` : sql`and a.device_id = ${deviceId}`;
    return this.#read(
      sql`a.organization_id = ${organizationId} ${one} order by a.device_id, a.stored_at, a.id`,
    );
  }

  newestProven(deviceIds: string[]): Promise<ArchiveRow[]> {
    return this.#read(sql`
      a.device_id in ${this.#db.dialect.list(deviceIds)} and ${proven('a')} and not exists (
        select 1 from archives as newer
        where newer.device_id = a.device_id and ${proven('newer')}
          and (newer.stored_at > a.stored_at or (newer.stored_at = a.stored_at and newer.id > a.id))
      )
      order by a.device_id`);
  }

  async note(id: string, note: ArchiveNote, now: Instant): Promise<void> {
    await all(this.#db, sql`update archives set ${noted(note, now)} where id = ${id}`);
  }

  async remove(organizationId: string, ids: string[]): Promise<string[]> {
    const rows = await all(
      this.#db,
      sql<{ id: string }>`
        delete from archives
        where organization_id = ${organizationId} and id in ${this.#db.dialect.list(ids)}
        returning id`,
    );
    return rows.map(({ id }) => id);
  }

  async organizations(): Promise<string[]> {
    const rows = await all(
      this.#db,
      sql<{ id: string }>`
        select id from organizations
        where exists (select 1 from archives where archives.organization_id = organizations.id)
        order by id`,
    );
    return rows.map(({ id }) => id);
  }

  #conditions({ organizationId, deviceIds, level }: ArchiveFilter): RawBuilder<unknown> {
    const list = [sql`a.organization_id = ${organizationId}`];
    if (deviceIds !== undefined) list.push(sql`a.device_id in ${this.#db.dialect.list(deviceIds)}`);
    if (level !== undefined) list.push(levelConditions[level]);
    return sql.join(list, sql` and `);
  }

  async #read(which: RawBuilder<unknown>): Promise<ArchiveRow[]> {
    const rows = await all(
      this.#db,
      sql<Stored>`
        select ${columns} from archives as a
        join devices on devices.id = a.device_id
        join organizations on organizations.id = a.organization_id
        where ${which}`,
    );
    return rows.map((row) => ({ ...row, recipients: JSON.parse(row.recipients) }));
  }
}

type Stored = Omit<ArchiveRow, 'recipients'> & { recipients: string };

const proven = (alias: string) =>
  sql.raw(
    `${alias}.damaged_at is null and coalesce(${alias}.restorable_at, ${alias}.readable_at) is not null`,
  );

const levelConditions: Record<ArchiveLevel, RawBuilder<unknown>> = {
  stored: sql`a.readable_at is null and a.restorable_at is null`,
  readable: sql`a.readable_at is not null and a.restorable_at is null`,
  restorable: sql`a.restorable_at is not null`,
};

function noted(note: ArchiveNote, now: Instant): RawBuilder<unknown> {
  const whole = sql`verified_at = ${now}, damaged_at = null, damage = null`;
  switch (note.kind) {
    case 'damaged':
      return sql`damaged_at = coalesce(damaged_at, ${now}), damage = ${note.damage}`;
    case 'unchanged':
      return sql`unchanged_at = ${now}`;
    case 'verified':
      return whole;
    case 'readable':
      return sql`readable_at = ${now}, ${whole}`;
    case 'restorable':
      return sql`restorable_at = ${now}, ${whole}`;
  }
}

const columns =
  sql.raw(`a.id, a.organization_id as "organizationId", a.device_id as "deviceId", a.task, a.size, a.sha256,
  a.manifest_sha256 as "manifestSha256", a.content, a.files, a.made_at as "madeAt", a.stored_at as "storedAt",
  a.readable_at as "readableAt", a.restorable_at as "restorableAt", a.verified_at as "verifiedAt",
  a.unchanged_at as "unchangedAt", a.damaged_at as "damagedAt", a.damage, a.recipients, a.statement, a.signature,
  a.device_key as "deviceKey", devices.name as "deviceName", organizations.name as "organizationName"`);
