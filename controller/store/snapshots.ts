import { sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all } from './dialect.ts';

export interface SnapshotUnit {
  unit: string;
  status: string;
  files: number;
  bytes: number;
  /** Keyed digest of the unit's files, computed on the device. */
  state: string;
}

export interface SnapshotRow {
  deviceId: string;
  organizationId: string;
  /** Counts per device, from 1. */
  version: number;
  reason: 'first' | 'changed' | 'ruleset';
  ruleset: string;
  /** `id@rev` */
  profile: string;
  viewSha256: string;
  /** Of the view. */
  bytes: number;
  rawSha256: string | null;
  units: SnapshotUnit[];
  firstSeenAt: Instant;
  lastSeenAt: Instant;
  /** Code of the PULL that found it. */
  task: string | null;
}

/** Versions of the configuration of each device. */
export interface SnapshotStore {
  /** Throws when the device has this version already. */
  insert(row: SnapshotRow): Promise<void>;
  newest(deviceId: string): Promise<SnapshotRow | undefined>;
  get(deviceId: string, version: number): Promise<SnapshotRow | undefined>;
  /** Newest first. */
  list(deviceId: string, paging: Paging): Promise<PageOf<SnapshotRow>>;
  /** The device was read again and is as this version says. */
  seen(deviceId: string, version: number, now: Instant): Promise<void>;
  /** Another original of the same view: for other recipients, or because there was none. */
  setRaw(deviceId: string, version: number, rawSha256: string): Promise<void>;
  /** Deletes the versions up to `always`, and those up to `ifOld` that were last seen before `before`; returns which, the oldest first. */
  prune(deviceId: string, which: { always: number; ifOld: number; before: Instant }): Promise<number[]>;
}

export class SqlSnapshotStore implements SnapshotStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insert(row: SnapshotRow): Promise<void> {
    await all(
      this.#db,
      sql`
        insert into snapshots (
          device_id, version, organization_id, reason, ruleset, profile, view_sha256, bytes, raw_sha256, units,
          first_seen_at, last_seen_at, task
        ) values (
          ${row.deviceId}, ${row.version}, ${row.organizationId}, ${row.reason}, ${row.ruleset}, ${row.profile},
          ${row.viewSha256}, ${row.bytes}, ${row.rawSha256}, ${JSON.stringify(row.units)}, ${row.firstSeenAt},
          ${row.lastSeenAt}, ${row.task}
        )`,
    );
  }

  async newest(deviceId: string): Promise<SnapshotRow | undefined> {
    return (await this.list(deviceId, { page: 1, perPage: 1 })).items[0];
  }

  async get(deviceId: string, version: number): Promise<SnapshotRow | undefined> {
    const rows = await all(
      this.#db,
      sql<Stored>`select ${columns} from snapshots where device_id = ${deviceId} and version = ${version}`,
    );
    return rows.map(asRow)[0];
  }

  async list(deviceId: string, { page, perPage }: Paging): Promise<PageOf<SnapshotRow>> {
    const [count] = await all(
      this.#db,
      sql<{ total: number }>`select count(*) as total from snapshots where device_id = ${deviceId}`,
    );
    const rows = await all(
      this.#db,
      sql<Stored>`
        select ${columns} from snapshots where device_id = ${deviceId}
        order by version desc
        limit ${perPage} offset ${(page - 1) * perPage}`,
    );
    return { items: rows.map(asRow), total: count?.total ?? 0 };
  }

  async seen(deviceId: string, version: number, now: Instant): Promise<void> {
    await all(
      this.#db,
      sql`
        update snapshots set last_seen_at = ${now}
        where device_id = ${deviceId} and version = ${version} and last_seen_at < ${now}`,
    );
  }

  async setRaw(deviceId: string, version: number, rawSha256: string): Promise<void> {
    await all(
      this.#db,
      sql`
        update snapshots set raw_sha256 = ${rawSha256}
        where device_id = ${deviceId} and version = ${version}`,
    );
  }

  async prune(
    deviceId: string,
    { always, ifOld, before }: { always: number; ifOld: number; before: Instant },
  ): Promise<number[]> {
    const rows = await all(
      this.#db,
      sql<{ version: number }>`
        delete from snapshots
        where device_id = ${deviceId}
          and (version <= ${always} or (version <= ${ifOld} and last_seen_at < ${before}))
        returning version`,
    );
    return rows.map(({ version }) => version).sort((left, right) => left - right);
  }
}

type Stored = Omit<SnapshotRow, 'units'> & { units: string };

const asRow = (row: Stored): SnapshotRow => ({ ...row, units: JSON.parse(row.units) });

const columns =
  sql.raw(`device_id as "deviceId", organization_id as "organizationId", version, reason, ruleset,
  profile, view_sha256 as "viewSha256", bytes, raw_sha256 as "rawSha256", units,
  first_seen_at as "firstSeenAt", last_seen_at as "lastSeenAt", task`);
