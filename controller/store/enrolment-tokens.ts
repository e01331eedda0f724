import type { Instant } from '../../shared/clock.ts';
import type { EnrolmentTokenRow, PageOf, Paging } from './access.ts';
import type { Db } from './dialect.ts';
import { orNameTaken } from './name-taken.ts';

export async function insertEnrolmentToken(db: Db, row: EnrolmentTokenRow): Promise<void> {
  const values = {
    id: row.id,
    organization_id: row.organizationId,
    name: row.name,
    prefix: row.prefix,
    hash: row.hash,
    uses: row.uses,
    max_uses: row.maxUses,
    auto_approve: row.autoApprove ? (1 as const) : (0 as const),
    labels: JSON.stringify(row.labels),
    created_at: row.createdAt,
    expires_at: row.expiresAt,
    revoked_at: row.revokedAt,
    device_id: row.deviceId ?? null,
  };
  await orNameTaken(
    db,
    () => `An enrolment token named ${row.name} exists already`,
    () => db.kysely.insertInto('enrolment_tokens').values(values).execute(),
  );
}

export async function enrolmentTokenByHash(db: Db, hash: string): Promise<EnrolmentTokenRow | undefined> {
  const row = await db.kysely
    .selectFrom('enrolment_tokens')
    .select(enrolmentTokenColumns)
    .where('hash', '=', hash)
    .executeTakeFirst();
  return row && enrolmentToken(row);
}

export async function useEnrolmentToken(db: Db, id: string, now: Instant): Promise<boolean> {
  const { numUpdatedRows } = await db.kysely
    .updateTable('enrolment_tokens')
    .set((token) => ({ uses: token('uses', '+', 1) }))
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .where((is) => is.or([is('expires_at', 'is', null), is('expires_at', '>', now)]))
    .where((is) => is.or([is('max_uses', 'is', null), is('uses', '<', is.ref('max_uses'))]))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

export async function enrolmentTokens(
  db: Db,
  organizationId: string,
  paging: Paging,
): Promise<PageOf<EnrolmentTokenRow>> {
  const matching = db.kysely.selectFrom('enrolment_tokens').where('organization_id', '=', organizationId);
  const { total } = await matching
    .select((the) => the.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  const rows = await matching
    .select(enrolmentTokenColumns)
    .orderBy('created_at', 'desc')
    .orderBy('name')
    .limit(paging.perPage)
    .offset((paging.page - 1) * paging.perPage)
    .execute();
  return { items: rows.map(enrolmentToken), total };
}

export async function revokeEnrolmentToken(
  db: Db,
  organizationId: string,
  name: string,
  now: Instant,
): Promise<boolean> {
  const { numUpdatedRows } = await db.kysely
    .updateTable('enrolment_tokens')
    .set({ revoked_at: now })
    .where('organization_id', '=', organizationId)
    .where('name', '=', name)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

const enrolmentTokenColumns = [
  'id',
  'organization_id as organizationId',
  'name',
  'prefix',
  'hash',
  'uses',
  'max_uses as maxUses',
  'auto_approve as autoApprove',
  'labels',
  'created_at as createdAt',
  'expires_at as expiresAt',
  'revoked_at as revokedAt',
  'device_id as deviceId',
] as const;

type StoredEnrolmentToken = Omit<EnrolmentTokenRow, 'autoApprove' | 'labels'> & {
  autoApprove: number;
  labels: string;
};

const enrolmentToken = (row: StoredEnrolmentToken): EnrolmentTokenRow => ({
  ...row,
  autoApprove: row.autoApprove === 1,
  labels: JSON.parse(row.labels),
});
