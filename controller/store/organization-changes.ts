import { sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import type { OrganizationRow } from './access.ts';
import { SqlAccountStore } from './accounts.ts';
import { changed, type Db } from './dialect.ts';
import { orNameTaken } from './name-taken.ts';

export async function renameOrganization(
  db: Db,
  id: string,
  { name, displayName }: Pick<OrganizationRow, 'name' | 'displayName'>,
): Promise<void> {
  await orNameTaken(
    db,
    () => `Organization ${name} exists already`,
    () =>
      db.kysely
        .updateTable('organizations')
        .set({ name, display_name: displayName })
        .where('id', '=', id)
        .execute(),
  );
}

export async function closeOrganization(db: Db, id: string, now: Instant): Promise<string[]> {
  const { kysely } = db;
  const mine = await kysely
    .selectFrom('accounts')
    .select(['id', 'email'])
    .where('organization_id', '=', id)
    .execute();
  const accounts = new SqlAccountStore(db);
  for (const account of mine) await accounts.remove(account.id);
  await kysely.deleteFrom('enrolment_tokens').where('organization_id', '=', id).execute();
  await changed(db, sql`delete from schedules where organization_id = ${id}`);
  // No organization can be called so.
  const name = `closed ${id}`;
  await kysely.updateTable('organizations').set({ name, closed_at: now }).where('id', '=', id).execute();
  return mine.map(({ email }) => email);
}
