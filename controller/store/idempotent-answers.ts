import type { Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { IdempotentAnswer } from './access.ts';
import type { Db } from './dialect.ts';

export async function idempotentAnswer(
  db: Db,
  accountId: string,
  key: string,
): Promise<IdempotentAnswer | undefined> {
  return db.kysely
    .selectFrom('idempotent_answers')
    .select(['account_id as accountId', 'key', 'request_digest as requestDigest', 'status', 'body'])
    .select('created_at as createdAt')
    .where('account_id', '=', accountId)
    .where('key', '=', key)
    .executeTakeFirst();
}

export async function keepIdempotentAnswer(db: Db, answer: IdempotentAnswer): Promise<void> {
  const { accountId, requestDigest, createdAt, ...rest } = answer;
  const values = { ...rest, account_id: accountId, request_digest: requestDigest, created_at: createdAt };
  try {
    await db.kysely.insertInto('idempotent_answers').values(values).execute();
  } catch (cause) {
    if (db.dialect.uniqueViolation(cause) === undefined) throw cause;
    throw new AppError('conflict', `Idempotency-Key ${answer.key} has an answer already`, { cause });
  }
}

export async function pruneIdempotentAnswers(db: Db, before: Instant): Promise<number> {
  const { numDeletedRows } = await db.kysely
    .deleteFrom('idempotent_answers')
    .where('created_at', '<', before)
    .executeTakeFirst();
  return Number(numDeletedRows);
}
