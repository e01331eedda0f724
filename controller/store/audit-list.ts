import { type RawBuilder, sql } from 'kysely';
import { auditedEvents } from '../../shared/api/audit-actions.ts';
import type { PageOf, Paging } from './access.ts';
import type { AuditFilter, AuditRow } from './audit.ts';
import { type Db, all } from './dialect.ts';

/** One page of what was written down and of the moves of tasks, newest first. */
export async function listAudit(db: Db, filter: AuditFilter, paging: Paging): Promise<PageOf<AuditRow>> {
  const entries = sql`audit as a where ${entryConditions(filter)}`;
  const events = sql`events as e where ${eventConditions(db, filter)}`;
  const [count] = await all(
    db,
    sql<{
      total: number;
    }>`select (select count(*) from ${entries}) + (select count(*) from ${events}) as total`,
  );
  // Whatever is on this page is among the newest of its kind: only these are read in full.
  const newest = sql`limit ${paging.page * paging.perPage}`;
  const by = db.dialect.field(sql`move.data`, 'by');
  const rows = await all(
    db,
    sql<StoredEntry>`
      select * from (
        select * from (
          select a.id, a.at, a.organization_id as "organizationId", a.actor, a.action, a.target, a.detail,
            a.ip_address as "ipAddress", a.request_id as "requestId"
          from ${entries} order by a.at desc, a.id desc ${newest}
        ) as entry
        union all
        select -move.cursor, move.at, move.organization_id,
          case when ${by} = 'device' then 'device ' || coalesce(devices.name, move.device_id)
            else coalesce(${by}, 'controller') end,
          move.type, coalesce(tasks.code, move.task_id), move.data, null, null
        from (select e.* from ${events} order by e.cursor desc ${newest}) as move
        left join devices on devices.id = move.device_id
        left join tasks on tasks.id = move.task_id
      ) as listed
      order by at desc, abs(id) desc
      limit ${paging.perPage} offset ${(paging.page - 1) * paging.perPage}`,
  );
  return { items: rows.map((row) => ({ ...row, detail: JSON.parse(row.detail) })), total: count?.total ?? 0 };
}

type StoredEntry = Omit<AuditRow, 'detail'> & { detail: string };

function entryConditions({
  organizationId,
  actor,
  action,
  target,
  search,
  ...times
}: AuditFilter): RawBuilder<unknown> {
  const list = [sql`a.organization_id = ${organizationId}`];
  if (actor !== undefined) list.push(sql`a.actor = ${actor}`);
  if (action !== undefined) list.push(sql`a.action = ${action}`);
  if (target !== undefined) list.push(sql`a.target = ${target}`);
  if (search !== undefined) {
    const fields = ['actor', 'action', 'target', 'detail', 'ip_address', 'request_id'];
    list.push(
      anyHas(
        fields.map((field) => sql.ref(`a.${field}`)),
        search,
      ),
    );
  }
  return sql.join([...list, ...timeConditions(sql`a.at`, times)], sql` and `);
}

function eventConditions(db: Db, filter: AuditFilter): RawBuilder<unknown> {
  const { organizationId, actor, action, target, search, ...times } = filter;
  const list = [sql`e.organization_id = ${organizationId}`, sql`e.type in ${db.dialect.list(auditedEvents)}`];
  if (actor !== undefined) list.push(actorCondition(db, organizationId, actor));
  if (action !== undefined) list.push(sql`e.type = ${action}`);
  if (target !== undefined) list.push(sql`e.task_id = (select id from tasks where code = ${target})`);
  if (search !== undefined) {
    const code = sql`(select code from tasks where id = e.task_id)`;
    const device = sql`(select name from devices where id = e.device_id)`;
    list.push(anyHas([sql`e.type`, sql`e.data`, code, device], search));
  }
  return sql.join([...list, ...timeConditions(sql`e.at`, times)], sql` and `);
}

/** Looks at every entry of the organization in the times that were asked for. */
function anyHas(fields: RawBuilder<unknown>[], text: string): RawBuilder<unknown> {
  const pattern = `%${text.toLowerCase().replaceAll(/[\\%_]/g, '\\$&')}%`;
  const each = fields.map((field) => sql`lower(${field}) like ${pattern} escape '\\'`);
  return sql`(${sql.join(each, sql` or `)})`;
}

function actorCondition({ dialect }: Db, organizationId: string, actor: string): RawBuilder<unknown> {
  const by = dialect.field(sql`e.data`, 'by');
  const name = /^device (.*)$/.exec(actor)?.[1];
  if (name === undefined) return sql`${by} = ${actor}`;
  return sql`${by} = 'device' and e.device_id in (
    select id from devices where organization_id = ${organizationId} and name = ${name})`;
}

function timeConditions(
  at: RawBuilder<unknown>,
  { createdAfter, createdBefore }: Pick<AuditFilter, 'createdAfter' | 'createdBefore'>,
): RawBuilder<unknown>[] {
  return [
    ...(createdAfter === undefined ? [] : [sql`${at} >= ${createdAfter}`]),
    ...(createdBefore === undefined ? [] : [sql`${at} < ${createdBefore}`]),
  ];
}
