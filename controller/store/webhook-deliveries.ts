import { type RawBuilder, sql } from 'kysely';
import type { DeliveryState } from '../../shared/api/webhooks.ts';
import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all, changed } from './dialect.ts';

export interface NewDelivery {
  id: string;
  webhookId: string;
  type: string;
  /** The bytes that are sent, the same at every attempt. */
  body: string;
  nextAt: Instant;
  createdAt: Instant;
}

export interface DeliveryRow extends NewDelivery {
  status: DeliveryState;
  attempts: number;
  lastAt: Instant | null;
  responseStatus: number | null;
  response: string | null;
  durationMs: number | null;
  error: string | null;
}

/** How an attempt ended. */
export interface AttemptEnd
  extends Pick<
    DeliveryRow,
    'status' | 'attempts' | 'nextAt' | 'responseStatus' | 'response' | 'durationMs' | 'error'
  > {
  at: Instant;
}

/** Which deliveries of a webhook. */
export interface DeliveryFilter {
  id?: string;
  status?: DeliveryState;
}

/** Messages to webhooks. Those that are over are bounded by `prune`, those that are not by whoever adds them. */
export interface WebhookDeliveryStore {
  insert(rows: NewDelivery[]): Promise<void>;
  /**
   * Takes the oldest that are due for an attempt, which counts from now on. Whoever dies in the attempt leaves it due again at
   * `until`, so that nothing is lost and nobody else sends it meanwhile.
   */
  claim(webhookId: string, claim: { now: Instant; until: Instant; limit: number }): Promise<DeliveryRow[]>;
  /** Gives it the end of an attempt, unless it is over already. */
  finish(id: string, end: AttemptEnd): Promise<void>;
  /** When the next of each webhook is due, by webhook. */
  nextDue(webhookIds: string[]): Promise<Map<string, Instant>>;
  /** Newest first. */
  list(webhookId: string, filter: DeliveryFilter, paging: Paging): Promise<PageOf<DeliveryRow>>;
  /** Makes those that are over PENDING again, as if never tried; returns how many. */
  reset(webhookId: string, filter: DeliveryFilter, now: Instant): Promise<number>;
  /** Deletes those that are over beyond the newest `keep` of each webhook, and all made before; returns how many went. */
  prune(keep: number, before: Instant): Promise<number>;
}

export class SqlWebhookDeliveryStore implements WebhookDeliveryStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insert(rows: NewDelivery[]): Promise<void> {
    if (rows.length === 0) return;
    await all(
      this.#db,
      sql`
        insert into webhook_deliveries (id, webhook_id, type, body, status, next_at, created_at)
        select id, webhook_id, type, body, 'PENDING', next_at, created_at
        from ${this.#db.dialect.rows('j', columns, rows)}`,
    );
  }

  async claim(
    webhookId: string,
    { now, until, limit }: { now: Instant; until: Instant; limit: number },
  ): Promise<DeliveryRow[]> {
    const rows = await all(
      this.#db,
      sql<DeliveryRow>`
        update webhook_deliveries set next_at = ${until}, attempts = attempts + 1, last_at = ${now}
        where status = 'PENDING' and id in (
          select id from webhook_deliveries
          where webhook_id = ${webhookId} and status = 'PENDING' and next_at <= ${now}
          order by next_at, created_at, id limit ${limit}
        )
        returning ${shown}`,
    );
    return rows.sort((left, right) => (left.id < right.id ? -1 : 1));
  }

  async finish(id: string, end: AttemptEnd): Promise<void> {
    await changed(
      this.#db,
      sql`
        update webhook_deliveries set status = ${end.status}, attempts = ${end.attempts}, next_at = ${end.nextAt},
          last_at = ${end.at}, response_status = ${end.responseStatus}, response = ${end.response},
          duration_ms = ${end.durationMs}, error = ${end.error}
        where id = ${id} and status = 'PENDING'`,
    );
  }

  async nextDue(webhookIds: string[]): Promise<Map<string, Instant>> {
    const rows = await all(
      this.#db,
      sql<{ id: string; at: Instant | null }>`
        select i.id as id, (
          select min(next_at) from webhook_deliveries where webhook_id = i.id and status = 'PENDING'
        ) as at
        from ${this.#db.dialect.ids('i', webhookIds)}`,
    );
    return new Map(rows.flatMap(({ id, at }) => (at === null ? [] : [[id, Number(at)]])));
  }

  async list(
    webhookId: string,
    filter: DeliveryFilter,
    { page, perPage }: Paging,
  ): Promise<PageOf<DeliveryRow>> {
    const where = matching(webhookId, filter);
    const [counted] = await all(
      this.#db,
      sql<{ total: number }>`select count(*) as total from webhook_deliveries where ${where}`,
    );
    const items = await all(
      this.#db,
      sql<DeliveryRow>`
        select ${shown} from webhook_deliveries where ${where}
        order by created_at desc, id desc limit ${perPage} offset ${(page - 1) * perPage}`,
    );
    return { items, total: Number(counted?.total ?? 0) };
  }

  async reset(webhookId: string, filter: DeliveryFilter, now: Instant): Promise<number> {
    return changed(
      this.#db,
      sql`
        update webhook_deliveries set status = 'PENDING', attempts = 0, next_at = ${now}
        where ${matching(webhookId, filter)} and status <> 'PENDING'`,
    );
  }

  async prune(keep: number, before: Instant): Promise<number> {
    return changed(
      this.#db,
      sql`
        delete from webhook_deliveries
        where created_at < ${before} or id in (
          select id from (
            select id, row_number() over (partition by webhook_id order by created_at desc, id desc) as place
            from webhook_deliveries where status <> 'PENDING'
          ) as ranked
          where place > ${keep}
        )`,
    );
  }
}

const matching = (webhookId: string, { id, status }: DeliveryFilter): RawBuilder<unknown> => sql`
  webhook_id = ${webhookId}
  ${id === undefined ? sql`` : sql`and id = ${id}`}
  ${status === undefined ? sql`` : sql`and status = ${status}`}`;

const shown = sql`
  id as "id", webhook_id as "webhookId", type as "type", body as "body", status as "status", attempts as "attempts",
  next_at as "nextAt", last_at as "lastAt", response_status as "responseStatus", response as "response",
  duration_ms as "durationMs", error as "error", created_at as "createdAt"`;

const columns = {
  id: 'text',
  webhookId: 'text',
  type: 'text',
  body: 'text',
  nextAt: 'integer',
  createdAt: 'integer',
} as const;
