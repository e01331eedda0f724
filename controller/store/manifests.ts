import { sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import { type Db, all, atomically, changed } from './dialect.ts';

export interface ManifestRow {
  deviceId: string;
  generation: number;
  /** Digest of its text in `texts`. */
  sha256: string;
  bytes: number;
  content: string;
  profileRev: number;
  reason: 'sync' | 'restore';
  createdAt: Instant;
}

/** Manifests that were made for devices, and the texts that they name. */
export interface ManifestStore {
  /** All texts that the manifests name are there already. */
  insert(manifests: (ManifestRow & { texts: string[] })[]): Promise<void>;
  /** Of this text, for this device. */
  get(deviceId: string, sha256: string): Promise<ManifestRow | undefined>;
  newest(deviceIds: string[]): Promise<Map<string, ManifestRow>>;
  /** The newest of each device with the content that is given for it. */
  ofContents(wanted: { deviceId: string; content: string }[]): Promise<Map<string, ManifestRow>>;
  names(deviceId: string, manifestSha256: string, textSha256: string): Promise<boolean>;
  /**
   * Deletes manifests made before, of devices without a live SYNC: all but the newest three and what the device confirmed. Returns
   * the digests of those that are gone, at most `limit`.
   */
  prune(before: Instant, limit: number): Promise<string[]>;
}

export class SqlManifestStore implements ManifestStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insert(manifests: (ManifestRow & { texts: string[] })[]): Promise<void> {
    if (manifests.length === 0) return;
    const texts = manifests.flatMap(({ deviceId, generation, texts }) =>
      [...new Set(texts)].map((sha256) => ({ deviceId, generation, sha256 })),
    );
    await atomically(this.#db, async (db) => {
      await all(
        db,
        sql`
          insert into manifests (device_id, generation, sha256, bytes, content, profile_rev, reason, created_at)
          select device_id, generation, sha256, bytes, content, profile_rev, reason, created_at
          from ${db.dialect.rows('j', columns, manifests)}`,
      );
      if (texts.length === 0) return;
      await all(
        db,
        sql`
          insert into manifest_texts (device_id, generation, sha256)
          select device_id, generation, sha256
          from ${db.dialect.rows('j', { deviceId: 'text', generation: 'integer', sha256: 'text' }, texts)}`,
      );
    });
  }

  async get(deviceId: string, sha256: string): Promise<ManifestRow | undefined> {
    const [row] = await all(
      this.#db,
      sql<ManifestRow>`
        select ${read} from manifests as m where m.device_id = ${deviceId} and m.sha256 = ${sha256}
        order by m.generation desc limit 1`,
    );
    return row;
  }

  async newest(deviceIds: string[]): Promise<Map<string, ManifestRow>> {
    if (deviceIds.length === 0) return new Map();
    const rows = await all(
      this.#db,
      sql<ManifestRow>`
        select ${read} from manifests as m
        where (m.device_id, m.generation) in (
          select device_id, max(generation) from manifests
          where device_id in ${this.#db.dialect.list(deviceIds)}
          group by device_id
        )`,
    );
    return new Map(rows.map((row) => [row.deviceId, row]));
  }

  async ofContents(wanted: { deviceId: string; content: string }[]): Promise<Map<string, ManifestRow>> {
    if (wanted.length === 0) return new Map();
    const rows = await all(
      this.#db,
      sql<ManifestRow>`
        select ${read}
        from ${this.#db.dialect.rows('j', { deviceId: 'text', content: 'text' }, wanted)}
        cross join manifests as m
        where m.device_id = j.device_id and m.content = j.content
        order by m.generation`,
    );
    return new Map(rows.map((row) => [row.deviceId, row]));
  }

  async names(deviceId: string, manifestSha256: string, textSha256: string): Promise<boolean> {
    const [row] = await all(
      this.#db,
      sql<{ found: number }>`
        select 1 as found from manifests as m
        join manifest_texts as f on f.device_id = m.device_id and f.generation = m.generation
        where m.device_id = ${deviceId} and m.sha256 = ${manifestSha256} and f.sha256 = ${textSha256}
        limit 1`,
    );
    return row !== undefined;
  }

  prune(before: Instant, limit: number): Promise<string[]> {
    return atomically(this.#db, async (db) => {
      const rows = await all(
        db,
        sql<{ deviceId: string; generation: number; sha256: string }>`
          select m.device_id as "deviceId", m.generation, m.sha256 from manifests as m
          left join device_configs as c on c.device_id = m.device_id
          where m.created_at < ${before}
            and (c.synced_generation is null or m.generation <> c.synced_generation)
            and m.generation < (
              select min(generation) from (
                select n.generation from manifests as n where n.device_id = m.device_id
                order by n.generation desc limit 3
              ) as newest
            )
            and not exists (select 1 from tasks as t
              where t.device_id = m.device_id and t.status = 'SCHEDULED' and t.type = 'SYNC')
            and not exists (select 1 from tasks as t
              where t.device_id = m.device_id and t.status = 'PENDING' and t.type = 'SYNC')
            and not exists (select 1 from tasks as t
              where t.device_id = m.device_id and t.status = 'IN_PROGRESS' and t.type = 'SYNC')
          order by m.created_at
          limit ${limit}`,
      );
      const gone = db.dialect.rows('j', { deviceId: 'text', generation: 'integer' }, rows);
      await changed(
        db,
        sql`delete from manifests where (device_id, generation) in (select device_id, generation from ${gone})`,
      );
      return rows.map(({ sha256 }) => sha256);
    });
  }
}

const read =
  sql.raw(`m.device_id as "deviceId", m.generation, m.sha256, m.bytes, m.content, m.profile_rev as "profileRev",
  m.reason, m.created_at as "createdAt"`);

const columns = {
  deviceId: 'text',
  generation: 'integer',
  sha256: 'text',
  bytes: 'integer',
  content: 'text',
  profileRev: 'integer',
  reason: 'text',
  createdAt: 'integer',
} as const;
