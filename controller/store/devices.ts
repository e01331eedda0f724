import { type RawBuilder, sql } from 'kysely';
import type { DeviceStatus } from '../../shared/api/devices.ts';
import type { DriftStatus } from '../../shared/api/sync.ts';
import type { Instant } from '../../shared/clock.ts';
import type { Labels } from '../../shared/ids.ts';
import type { Lane } from '../../shared/task-types/task-type.ts';
import type { PageOf, Paging } from './access.ts';
import { advance, deviceStores, saveHellos } from './device-stores.ts';
import { type DeviceKeyStore, SqlDeviceKeyStore } from './device-keys.ts';
import { briefDevices, listDevices, readDevices } from './device-reads.ts';
import { type Db, all, atomically } from './dialect.ts';
import { orNameTaken } from './name-taken.ts';

export interface NewDevice {
  id: string;
  organizationId: string;
  name: string;
  status: DeviceStatus;
  /** Raw Ed25519 public key, base64url; unique among devices that are not removed. */
  publicKey: string;
  labels: Labels;
  agentVersion: string;
  createdAt: Instant;
}

export interface DeviceRow {
  id: string;
  organizationId: string;
  name: string;
  status: DeviceStatus;
  publicKey: string;
  /** Accepted beside `publicKey` until the device comes with it. */
  nextPublicKey: string | null;
  /** The device is to make a new key. */
  keyWantedAt: Instant | null;
  /** Its key ended, and no other took its place. */
  keyRevokedAt: Instant | null;
  labels: Labels;
  agentVersion: string | null;
  taskTypes: string[];
  slots: Partial<Record<Lane, number>>;
  facts: Record<string, unknown> | null;
  factsDigest: string | null;
  bootId: string | null;
  instanceId: string | null;
  /** Newest link that said hello: (epoch, connection) of the store `storeId`. */
  epoch: number;
  connection: number;
  storeId: string | null;
  quarantinedAt: Instant | null;
  quarantineReason: string | null;
  lastSeenAt: Instant | null;
  driftStatus: DriftStatus;
  driftCheckedAt: Instant | null;
  /** When it last confirmed a configuration, and which. */
  syncedAt: Instant | null;
  syncedContent: string | null;
  createdAt: Instant;
  updatedAt: Instant;
}

/** A device in brief. Values are shared between rows: not to be changed. */
export interface DeviceBrief {
  id: string;
  name: string;
  status: DeviceStatus;
  labels: Labels;
  taskTypes: string[];
  agentVersion: string | null;
}

/** What a hello changes. */
export interface HelloRow {
  deviceId: string;
  agentVersion: string;
  taskTypes: string[];
  slots: Partial<Record<Lane, number>>;
  bootId: string;
  instanceId: string;
  epoch: number;
  connection: number;
  storeId: string;
  at: Instant;
}

/** One local database a device has shown, and the last outbox row of it that was applied. */
export interface DeviceStoreRow {
  deviceId: string;
  storeId: string;
  appliedSeq: number;
  /** Set when the device came with a newer database: this one must not return. */
  supersededAt: Instant | null;
}

export interface DeviceFilter {
  organizationId: string;
  /** Restricts to these devices; the caller has resolved names and regular expressions. */
  ids?: string[];
  status?: DeviceStatus;
  labels?: Labels;
  driftStatus?: DriftStatus;
  /** From `After` on, up to and without `Before`; a device that was never seen is within no bound of `lastSeen`, one that was never synced of `synced`. */
  syncedAfter?: Instant;
  syncedBefore?: Instant;
  lastSeenAfter?: Instant;
  lastSeenBefore?: Instant;
  createdAfter?: Instant;
  createdBefore?: Instant;
  sortBy: 'name' | 'status' | 'created_at' | 'updated_at' | 'heartbeat';
  descending: boolean;
}

/** Devices that are not removed, unless said otherwise. */
export interface DeviceStore {
  readonly keys: DeviceKeyStore;

  /** Throws `AppError('name_taken')` when the name or the key is in use. */
  insert(device: NewDevice): Promise<void>;
  get(id: string): Promise<DeviceRow | undefined>;
  getMany(ids: string[]): Promise<DeviceRow[]>;
  byName(organizationId: string, name: string): Promise<DeviceRow | undefined>;
  byPublicKey(publicKey: string): Promise<DeviceRow | undefined>;
  /** ENABLED devices of all organizations. */
  countEnabled(): Promise<number>;
  /** Every device of the organization in brief, for resolving names, patterns and labels. Ordered by name. */
  brief(organizationId: string): Promise<DeviceBrief[]>;
  /** Devices without the value that is sorted by come last. */
  list(filter: DeviceFilter, paging: Paging): Promise<PageOf<DeviceRow>>;
  count(organizationId: string): Promise<number>;

  setStatus(id: string, status: DeviceStatus, now: Instant): Promise<void>;
  rename(id: string, name: string, now: Instant): Promise<void>;
  setLabels(id: string, labels: Labels, now: Instant): Promise<void>;
  /** The row stays for the history, as `NAME__deleted__CODE` (the end of its id); its name and key are free again. */
  remove(id: string, now: Instant): Promise<void>;
  /** `reason` null lifts it: the next hello is believed whatever it says of its past, because a person looked at the device. */
  setQuarantine(id: string, reason: string | null, now: Instant): Promise<void>;

  /** Stores accepted hellos, and opens or supersedes their local databases (`deviceStores`). */
  saveHellos(rows: HelloRow[]): Promise<void>;
  saveFacts(deviceId: string, digest: string, facts: Record<string, unknown>, now: Instant): Promise<void>;
  /** Sets when each was heard last. */
  touch(heard: { deviceId: string; at: Instant }[]): Promise<void>;
  deviceStores(deviceIds: string[]): Promise<DeviceStoreRow[]>;
  /** Raises `appliedSeq`; never lowers it. Belongs in the transaction that applies the reports. */
  advance(rows: { deviceId: string; storeId: string; seq: number }[]): Promise<void>;
}

export class SqlDeviceStore implements DeviceStore {
  readonly keys: DeviceKeyStore;
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
    this.keys = new SqlDeviceKeyStore(db);
  }

  async insert(device: NewDevice): Promise<void> {
    const values = {
      id: device.id,
      organization_id: device.organizationId,
      name: device.name,
      status: device.status,
      public_key: device.publicKey,
      labels: JSON.stringify(device.labels),
      agent_version: device.agentVersion,
      created_at: device.createdAt,
      updated_at: device.createdAt,
    };
    await orNameTaken(this.#db, inUse(device.name), () =>
      this.#db.kysely.insertInto('devices').values(values).execute(),
    );
  }

  async get(id: string): Promise<DeviceRow | undefined> {
    const [row] = await readDevices(this.#db, sql`d.id = ${id}`);
    return row;
  }

  async getMany(ids: string[]): Promise<DeviceRow[]> {
    return readDevices(this.#db, sql`d.id in ${this.#db.dialect.list(ids)}`);
  }

  async byName(organizationId: string, name: string): Promise<DeviceRow | undefined> {
    const [row] = await readDevices(
      this.#db,
      sql`d.organization_id = ${organizationId} and d.name = ${name}`,
    );
    return row;
  }

  async byPublicKey(publicKey: string): Promise<DeviceRow | undefined> {
    const [row] = await readDevices(this.#db, sql`d.public_key = ${publicKey}`);
    return row;
  }

  brief(organizationId: string): Promise<DeviceBrief[]> {
    return briefDevices(this.#db, organizationId);
  }

  list(filter: DeviceFilter, paging: Paging): Promise<PageOf<DeviceRow>> {
    return listDevices(this.#db, filter, paging);
  }

  async count(organizationId: string): Promise<number> {
    const { count } = await this.#db.kysely
      .selectFrom('devices')
      .select((the) => the.fn.countAll<number>().as('count'))
      .where('organization_id', '=', organizationId)
      .where('removed_at', 'is', null)
      .executeTakeFirstOrThrow();
    return count;
  }

  async setStatus(id: string, status: DeviceStatus, now: Instant): Promise<void> {
    await this.#set(id, sql`status = ${status}, updated_at = ${now}`);
  }

  async rename(id: string, name: string, now: Instant): Promise<void> {
    await orNameTaken(this.#db, inUse(name), () => this.#set(id, sql`name = ${name}, updated_at = ${now}`));
  }

  async setLabels(id: string, labels: Labels, now: Instant): Promise<void> {
    await this.#set(id, sql`labels = ${JSON.stringify(labels)}, updated_at = ${now}`);
  }

  async remove(id: string, now: Instant): Promise<void> {
    const code = id.slice(-8);
    await this.#set(
      id,
      sql`name = name || ${`__deleted__${code}`}, removed_at = ${now}, updated_at = ${now}`,
    );
  }

  async setQuarantine(id: string, reason: string | null, now: Instant): Promise<void> {
    if (reason !== null) {
      await this.#set(id, sql`quarantined_at = ${now}, quarantine_reason = ${reason}, updated_at = ${now}`);
      return;
    }
    await atomically(this.#db, async (db) => {
      await all(
        db,
        sql`update devices set quarantined_at = null, quarantine_reason = null, epoch = 0, connection = 0,
          store_id = null, updated_at = ${now} where id = ${id} and removed_at is null`,
      );
      await all(db, sql`update device_stores set superseded_at = null where device_id = ${id}`);
    });
  }

  async countEnabled(): Promise<number> {
    const [row] = await all(
      this.#db,
      sql<{
        total: number;
      }>`select count(*) as total from devices where status = 'ENABLED' and removed_at is null`,
    );
    return Number(row?.total ?? 0);
  }

  saveHellos(rows: HelloRow[]): Promise<void> {
    return saveHellos(this.#db, rows);
  }

  async saveFacts(
    deviceId: string,
    digest: string,
    facts: Record<string, unknown>,
    now: Instant,
  ): Promise<void> {
    await atomically(this.#db, async (db) => {
      const text = JSON.stringify(facts);
      await db.kysely
        .insertInto('device_facts')
        .values({ device_id: deviceId, facts: text })
        .onConflict((conflict) => conflict.column('device_id').doUpdateSet({ facts: text }))
        .execute();
      await all(
        db,
        sql`update devices set facts_digest = ${digest}, updated_at = ${now} where id = ${deviceId}`,
      );
    });
  }

  async touch(heard: { deviceId: string; at: Instant }[]): Promise<void> {
    if (heard.length === 0) return;
    const { dialect } = this.#db;
    await all(
      this.#db,
      sql`
        update devices ${dialect.indexed('devices_id')} set last_seen_at = j.at
        from ${dialect.rows('j', { deviceId: 'text', at: 'integer' }, heard)}
        where devices.id = j.device_id`,
    );
  }

  deviceStores(deviceIds: string[]): Promise<DeviceStoreRow[]> {
    return deviceStores(this.#db, deviceIds);
  }

  advance(rows: { deviceId: string; storeId: string; seq: number }[]): Promise<void> {
    return advance(this.#db, rows);
  }

  async #set(id: string, values: RawBuilder<unknown>): Promise<void> {
    await all(this.#db, sql`update devices set ${values} where id = ${id} and removed_at is null`);
  }
}

const inUse = (name: string) => (violation: string) =>
  violation.includes('public_key')
    ? 'The key of this device is in use by another device'
    : `The device name ${name} is in use by another device`;
