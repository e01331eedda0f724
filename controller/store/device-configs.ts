import { sql } from 'kysely';
import type { DriftStatus } from '../../shared/api/sync.ts';
import type { Instant } from '../../shared/clock.ts';
import { type Db, all, changed } from './dialect.ts';

export interface ConfigUnit {
  unit: string;
  status: string;
  message: string;
}

/** What is known of the configuration of one device. */
export interface DeviceConfigRow {
  deviceId: string;
  /** Newest manifest that was made for it, or that it confirmed. */
  generation: number;
  /** What it confirmed last. */
  syncedContent: string | null;
  syncedGeneration: number | null;
  syncedAt: Instant | null;
  /** State of each unit as it was told last: what the next SYNC is planned against. */
  base: Record<string, string>;
  driftStatus: DriftStatus;
  driftCheckedAt: Instant | null;
  units: ConfigUnit[];
  error: string | null;
}

export interface RolledBackContent {
  deviceId: string;
  content: string;
  at: Instant;
  /** Code of the SYNC. */
  task: string | null;
  reason: string;
  /** Set when a person allowed it again. */
  releasedAt: Instant | null;
}

/** What is known of each device's configuration. A device without a row never confirmed anything. */
export interface DeviceConfigStore {
  getMany(deviceIds: string[]): Promise<Map<string, DeviceConfigRow>>;
  put(rows: DeviceConfigRow[]): Promise<void>;
  /** Raises the generation of each device by one and returns the new ones. */
  nextGenerations(deviceIds: string[]): Promise<Map<string, number>>;

  /** A content that is rolled back once more is no longer released. */
  quarantine(contents: Omit<RolledBackContent, 'releasedAt'>[]): Promise<void>;
  rolledBack(deviceIds: string[]): Promise<RolledBackContent[]>;
  /** Allows one content, or all; returns those that were not allowed before. */
  release(deviceId: string, content: string | undefined, now: Instant): Promise<string[]>;
  /** It was confirmed after all. */
  forget(contents: { deviceId: string; content: string }[]): Promise<void>;
}

/** Contents remembered per device, newest first. */
const maxRolledBack = 50;

export class SqlDeviceConfigStore implements DeviceConfigStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async getMany(deviceIds: string[]): Promise<Map<string, DeviceConfigRow>> {
    if (deviceIds.length === 0) return new Map();
    const rows = await all(
      this.#db,
      sql<Omit<DeviceConfigRow, 'base' | 'units'> & { base: string; units: string }>`
        select device_id as "deviceId", generation, synced_content as "syncedContent",
          synced_generation as "syncedGeneration", synced_at as "syncedAt", base, drift_status as "driftStatus",
          drift_checked_at as "driftCheckedAt", units, error
        from device_configs where device_id in ${this.#db.dialect.list(deviceIds)}`,
    );
    return new Map(
      rows.map((row) => [row.deviceId, { ...row, base: JSON.parse(row.base), units: JSON.parse(row.units) }]),
    );
  }

  async put(rows: DeviceConfigRow[]): Promise<void> {
    if (rows.length === 0) return;
    const { dialect } = this.#db;
    await all(
      this.#db,
      sql`
        insert into device_configs (
          device_id, generation, synced_content, synced_generation, synced_at, base, drift_status,
          drift_checked_at, units, error
        )
        select device_id, generation, synced_content, synced_generation, synced_at, base, drift_status,
          drift_checked_at, units, error
        from ${dialect.rows('j', columns, rows)}
        where true
        on conflict (device_id) do update set
          generation = ${dialect.greater(sql`device_configs.generation`, sql`excluded.generation`)},
          synced_content = excluded.synced_content, synced_generation = excluded.synced_generation,
          synced_at = excluded.synced_at, base = excluded.base, drift_status = excluded.drift_status,
          drift_checked_at = excluded.drift_checked_at, units = excluded.units, error = excluded.error`,
    );
  }

  async nextGenerations(deviceIds: string[]): Promise<Map<string, number>> {
    if (deviceIds.length === 0) return new Map();
    const rows = await all(
      this.#db,
      sql<{ deviceId: string; generation: number }>`
        insert into device_configs (device_id, generation)
        select distinct id, 1 from ${this.#db.dialect.ids('j', deviceIds)} where true
        on conflict (device_id) do update set generation = device_configs.generation + 1
        returning device_id as "deviceId", generation`,
    );
    return new Map(rows.map(({ deviceId, generation }) => [deviceId, generation]));
  }

  async quarantine(contents: Omit<RolledBackContent, 'releasedAt'>[]): Promise<void> {
    for (const { deviceId, content, at, task, reason } of contents) {
      await all(
        this.#db,
        sql`
          insert into rolled_back_contents (device_id, content, at, task, reason)
          values (${deviceId}, ${content}, ${at}, ${task}, ${reason})
          on conflict (device_id, content) do update set
            at = excluded.at, task = excluded.task, reason = excluded.reason, released_at = null`,
      );
      await all(
        this.#db,
        sql`
          delete from rolled_back_contents where device_id = ${deviceId} and content in (
            select content from rolled_back_contents where device_id = ${deviceId}
            order by at desc, content limit 1000 offset ${maxRolledBack}
          )`,
      );
    }
  }

  async rolledBack(deviceIds: string[]): Promise<RolledBackContent[]> {
    if (deviceIds.length === 0) return [];
    return all(
      this.#db,
      sql<RolledBackContent>`
        select device_id as "deviceId", content, at, task, reason, released_at as "releasedAt"
        from rolled_back_contents where device_id in ${this.#db.dialect.list(deviceIds)}
        order by device_id, at desc, content`,
    );
  }

  async release(deviceId: string, content: string | undefined, now: Instant): Promise<string[]> {
    const which = content === undefined ? sql`` : sql`and content = ${content}`;
    const rows = await all(
      this.#db,
      sql<{ content: string }>`
        update rolled_back_contents set released_at = ${now}
        where device_id = ${deviceId} and released_at is null ${which}
        returning content`,
    );
    return rows.map((row) => row.content).sort();
  }

  async forget(contents: { deviceId: string; content: string }[]): Promise<void> {
    if (contents.length === 0) return;
    const gone = this.#db.dialect.rows('j', { deviceId: 'text', content: 'text' }, contents);
    await changed(
      this.#db,
      sql`delete from rolled_back_contents where (device_id, content) in (select device_id, content from ${gone})`,
    );
  }
}

const columns = {
  deviceId: 'text',
  generation: 'integer',
  syncedContent: 'text',
  syncedGeneration: 'integer',
  syncedAt: 'integer',
  base: 'text',
  driftStatus: 'text',
  driftCheckedAt: 'integer',
  units: 'text',
  error: 'text',
} as const;
