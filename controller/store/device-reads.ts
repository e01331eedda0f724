import { type RawBuilder, sql } from 'kysely';
import type { Labels } from '../../shared/ids.ts';
import type { PageOf, Paging } from './access.ts';
import type { DeviceBrief, DeviceFilter, DeviceRow } from './devices.ts';
import { type Db, all } from './dialect.ts';

export async function briefDevices(db: Db, organizationId: string): Promise<DeviceBrief[]> {
  const rows = await all(
    db,
    sql<Omit<DeviceBrief, 'labels' | 'taskTypes'> & { labels: string; taskTypes: string }>`
      select id, name, status, labels, task_types as "taskTypes", agent_version as "agentVersion"
      from devices ${db.dialect.indexed('devices_name')}
      where organization_id = ${organizationId} and removed_at is null
      order by name`,
  );
  // Thousands of devices share a few values: each is parsed once.
  const taskTypes = remembered<string[]>();
  const labels = remembered<Labels>();
  return rows.map((row) => ({ ...row, labels: labels(row.labels), taskTypes: taskTypes(row.taskTypes) }));
}

/** One page. */
export async function listDevices(db: Db, filter: DeviceFilter, paging: Paging): Promise<PageOf<DeviceRow>> {
  const matching = conditions(db, filter);
  const [count] = await all(
    db,
    sql<{
      total: number;
    }>`select count(*) as total from devices as d left join device_configs as c on c.device_id = d.id
      where d.removed_at is null and ${matching}`,
  );
  const order = sql.raw(
    `${sortColumns[filter.sortBy]} ${filter.descending ? 'desc' : 'asc'} nulls last, d.id`,
  );
  const items = await readDevices(
    db,
    sql`
    ${matching}
    order by ${order}
    limit ${paging.perPage} offset ${(paging.page - 1) * paging.perPage}`,
  );
  return { items, total: count?.total ?? 0 };
}

/** Devices that are not removed and for which `which` holds; it may go on with an order and a limit. */
export async function readDevices(db: Db, which: RawBuilder<unknown>): Promise<DeviceRow[]> {
  const rows = await all(
    db,
    sql<StoredDevice>`
      select ${columns} from devices as d left join device_facts as f on f.device_id = d.id
      left join device_configs as c on c.device_id = d.id
      where d.removed_at is null and ${which}`,
  );
  return rows.map((row) => ({
    ...row,
    labels: JSON.parse(row.labels),
    taskTypes: JSON.parse(row.taskTypes),
    slots: JSON.parse(row.slots),
    facts: row.facts === null ? null : JSON.parse(row.facts),
  }));
}

function conditions(db: Db, filter: DeviceFilter): RawBuilder<unknown> {
  const { dialect } = db;
  const list = [sql`d.organization_id = ${filter.organizationId}`];
  if (filter.ids !== undefined) list.push(sql`d.id in ${dialect.list(filter.ids)}`);
  if (filter.status !== undefined) list.push(sql`d.status = ${filter.status}`);
  if (filter.lastSeenAfter !== undefined) list.push(sql`d.last_seen_at >= ${filter.lastSeenAfter}`);
  if (filter.lastSeenBefore !== undefined) list.push(sql`d.last_seen_at < ${filter.lastSeenBefore}`);
  if (filter.createdAfter !== undefined) list.push(sql`d.created_at >= ${filter.createdAfter}`);
  if (filter.createdBefore !== undefined) list.push(sql`d.created_at < ${filter.createdBefore}`);
  if (filter.driftStatus !== undefined) {
    list.push(sql`coalesce(c.drift_status, 'NEVER_SYNCED') = ${filter.driftStatus}`);
  }
  if (filter.syncedAfter !== undefined) list.push(sql`c.synced_at >= ${filter.syncedAfter}`);
  if (filter.syncedBefore !== undefined) list.push(sql`c.synced_at < ${filter.syncedBefore}`);
  for (const [key, value] of Object.entries(filter.labels ?? {})) {
    list.push(sql`${dialect.field(sql`d.labels`, key)} = ${value}`);
  }
  return sql.join(list, sql` and `);
}

type StoredDevice = Omit<DeviceRow, 'labels' | 'taskTypes' | 'slots' | 'facts'> & {
  labels: string;
  taskTypes: string;
  slots: string;
  facts: string | null;
};

const columns =
  sql.raw(`d.id, d.organization_id as "organizationId", d.name, d.status, d.public_key as "publicKey",
  d.next_public_key as "nextPublicKey", d.key_wanted_at as "keyWantedAt", d.key_revoked_at as "keyRevokedAt",
  d.labels, d.agent_version as "agentVersion", d.task_types as "taskTypes", d.slots, f.facts,
  d.facts_digest as "factsDigest", d.boot_id as "bootId", d.instance_id as "instanceId", d.epoch, d.connection,
  d.store_id as "storeId", d.quarantined_at as "quarantinedAt", d.quarantine_reason as "quarantineReason",
  d.last_seen_at as "lastSeenAt", coalesce(c.drift_status, 'NEVER_SYNCED') as "driftStatus",
  c.drift_checked_at as "driftCheckedAt", c.synced_at as "syncedAt", c.synced_content as "syncedContent", d.created_at as "createdAt", d.updated_at as "updatedAt"`);

const sortColumns: Record<DeviceFilter['sortBy'], string> = {
  name: 'd.name',
  status: 'd.status',
  created_at: 'd.created_at',
  updated_at: 'd.updated_at',
  heartbeat: 'd.last_seen_at',
};

/** JSON.parse that parses equal texts once; what it returns is shared and not to be changed. */
function remembered<Value>(): (text: string) => Value {
  const known = new Map<string, Value>();
  return (text) => {
    const value: Value = known.get(text) ?? JSON.parse(text);
    known.set(text, value);
    return value;
  };
}
