import { sql } from 'kysely';
import type { DeviceStoreRow, HelloRow } from './devices.ts';
import { type Db, all, atomically, changed } from './dialect.ts';

/** Superseded databases remembered per device; more than this is a device that loses its disk at every start. */
const maxSuperseded = 100;

/** Stores accepted hellos: the devices' newest link, and their local databases. */
export async function saveHellos(db: Db, rows: HelloRow[]): Promise<void> {
  if (rows.length === 0) return;
  // Of several hellos of one device, the last is what holds; the databases of the earlier ones are superseded by it.
  const newest = [...new Map(rows.map((row) => [row.deviceId, row])).values()];
  await atomically(db, async (db) => {
    await updateDevices(db, newest);
    await openStores(db, rows);
    if ((await supersedeStores(db, newest)) > 0) await forgetStores(db, newest);
  });
}

async function updateDevices(db: Db, rows: HelloRow[]): Promise<void> {
  const columns = {
    deviceId: 'text',
    agentVersion: 'text',
    taskTypes: 'text',
    slots: 'text',
    bootId: 'text',
    instanceId: 'text',
    epoch: 'integer',
    connection: 'integer',
    storeId: 'text',
    at: 'integer',
  } as const;
  await all(
    db,
    sql`
      update devices ${db.dialect.indexed('devices_id')} set
        agent_version = j.agent_version, task_types = j.task_types, slots = j.slots, boot_id = j.boot_id,
        instance_id = j.instance_id, epoch = j.epoch, connection = j.connection, store_id = j.store_id,
        last_seen_at = j.at, updated_at = j.at
      from ${db.dialect.rows('j', columns, rows)}
      where devices.id = j.device_id and devices.removed_at is null`,
  );
}

async function openStores(db: Db, rows: HelloRow[]): Promise<void> {
  await all(
    db,
    sql`
      insert into device_stores (device_id, store_id, applied_seq)
      select distinct devices.id, j.store_id, 0
      from ${db.dialect.rows('j', { deviceId: 'text', storeId: 'text' }, rows)}
      cross join devices ${db.dialect.indexed('devices_id')}
      where devices.id = j.device_id and devices.removed_at is null
      on conflict (device_id, store_id) do update set superseded_at = null
        where device_stores.superseded_at is not null`,
  );
}

/** Returns how many were superseded. */
async function supersedeStores(db: Db, rows: HelloRow[]): Promise<number> {
  return changed(
    db,
    sql`
      update device_stores set superseded_at = j.at
      from (
        select distinct device_id, store_id, at
        from ${db.dialect.rows('given', { deviceId: 'text', storeId: 'text', at: 'integer' }, rows)}
      ) as j
      where device_stores.device_id = j.device_id
        and device_stores.store_id <> j.store_id
        and device_stores.superseded_at is null`,
  );
}

async function forgetStores(db: Db, rows: HelloRow[]): Promise<void> {
  const ids = db.dialect.list(rows.map(({ deviceId }) => deviceId));
  await all(
    db,
    sql`
      delete from device_stores
      where (device_id, store_id) in (
        select device_id, store_id from (
          select device_id, store_id,
            row_number() over (partition by device_id order by superseded_at desc, store_id) as place
          from device_stores
          where device_id in ${ids} and superseded_at is not null
        ) as superseded
        where place > ${maxSuperseded}
      )`,
  );
}

export async function deviceStores(db: Db, deviceIds: string[]): Promise<DeviceStoreRow[]> {
  if (deviceIds.length === 0) return [];
  return all(
    db,
    sql<DeviceStoreRow>`
      select s.device_id as "deviceId", s.store_id as "storeId", s.applied_seq as "appliedSeq",
        s.superseded_at as "supersededAt"
      from device_stores as s
      where s.device_id in ${db.dialect.list(deviceIds)}
      order by s.device_id, s.store_id`,
  );
}

/** Raises `appliedSeq`; never lowers it. */
export async function advance(
  db: Db,
  rows: { deviceId: string; storeId: string; seq: number }[],
): Promise<void> {
  if (rows.length === 0) return;
  const { dialect } = db;
  await all(
    db,
    sql`
      update device_stores set applied_seq = j.seq
      from (
        select device_id, store_id, max(seq) as seq
        from ${dialect.rows('given', { deviceId: 'text', storeId: 'text', seq: 'integer' }, rows)}
        group by device_id, store_id
      ) as j
      where device_stores.device_id = j.device_id and device_stores.store_id = j.store_id
        and device_stores.applied_seq < j.seq`,
  );
}
