import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../../shared/clock.ts';
import type { PageOf, Paging } from './access.ts';
import { type Db, all, changed } from './dialect.ts';
import { orNameTaken } from './name-taken.ts';

export type DisabledReason = 'person' | 'gone' | 'failing';

/** As the secret box sealed it. */
export interface SealedText {
  sealed: string;
  keyId: string;
}

export interface NewWebhook {
  id: string;
  organizationId: string;
  name: string;
  url: string;
  /** Patterns of types. */
  events: string[];
  enabled: boolean;
  disabledReason: DisabledReason | null;
  secret: SealedText;
  /** Events up to here were looked at. */
  cursor: number;
  createdBy: string;
  createdAt: Instant;
}

export interface WebhookRow extends NewWebhook {
  organizationName: string;
  /** The secret before it was changed, which signs too until then. */
  previousSecret: SealedText | null;
  previousUntil: Instant | null;
  /** Of the first attempt that failed since one succeeded. */
  failingSince: Instant | null;
  lastSuccessAt: Instant | null;
  updatedAt: Instant;
  pending: number;
}

export type WebhookValues = Partial<
  Pick<
    WebhookRow,
    | 'name'
    | 'url'
    | 'events'
    | 'enabled'
    | 'disabledReason'
    | 'secret'
    | 'previousSecret'
    | 'previousUntil'
    | 'cursor'
    | 'failingSince'
  >
>;

/** Who is told of events. Names are unique in an organization. */
export interface WebhookStore {
  /** Throws `name_taken`. */
  insert(row: NewWebhook): Promise<void>;
  /** By name or id. */
  get(organizationId: string, nameOrId: string): Promise<WebhookRow | undefined>;
  list(organizationId: string, paging: Paging): Promise<PageOf<WebhookRow>>;
  /** Of all organizations, in the order in which they were made. */
  enabled(): Promise<WebhookRow[]>;
  /** What is absent stays. Throws `name_taken`. */
  update(id: string, values: WebhookValues, now: Instant): Promise<void>;
  /** With its deliveries. */
  remove(id: string): Promise<void>;
  /** Moves the cursor, if it is enabled and still where the caller saw it. */
  advance(id: string, from: number, to: number): Promise<boolean>;
  /** How an attempt ended; of failures the first is remembered until one succeeds. */
  noteAttempt(id: string, succeeded: boolean, now: Instant): Promise<void>;
}

export class SqlWebhookStore implements WebhookStore {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async insert(row: NewWebhook): Promise<void> {
    await orNameTaken(
      this.#db,
      () => taken(row.name),
      () =>
        all(
          this.#db,
          sql`
            insert into webhooks (
              id, organization_id, name, url, events, enabled, disabled_reason, secret, event_cursor, created_by,
              created_at, updated_at
            ) values (
              ${row.id}, ${row.organizationId}, ${row.name}, ${row.url}, ${JSON.stringify(row.events)},
              ${row.enabled ? 1 : 0}, ${row.disabledReason}, ${JSON.stringify(row.secret)}, ${row.cursor},
              ${row.createdBy}, ${row.createdAt}, ${row.createdAt}
            )`,
        ),
    );
  }

  async get(organizationId: string, nameOrId: string): Promise<WebhookRow | undefined> {
    const [row] = await this.#read(
      sql`w.organization_id = ${organizationId} and (w.name = ${nameOrId} or w.id = ${nameOrId})
        order by w.name = ${nameOrId} desc limit 1`,
    );
    return row;
  }

  async list(organizationId: string, { page, perPage }: Paging): Promise<PageOf<WebhookRow>> {
    const [counted] = await all(
      this.#db,
      sql<{
        total: number;
      }>`select count(*) as total from webhooks where organization_id = ${organizationId}`,
    );
    const items = await this.#read(
      sql`w.organization_id = ${organizationId} order by w.name limit ${perPage} offset ${(page - 1) * perPage}`,
    );
    return { items, total: Number(counted?.total ?? 0) };
  }

  enabled(): Promise<WebhookRow[]> {
    return this.#read(sql`w.enabled = 1 order by w.created_at, w.id`);
  }

  async update(id: string, values: WebhookValues, now: Instant): Promise<void> {
    const sets = Object.entries(values).map(
      ([name, value]) => sql`${sql.raw(columns[name as keyof WebhookValues])} = ${stored(value)}`,
    );
    await orNameTaken(
      this.#db,
      () => taken(values.name ?? ''),
      () =>
        all(
          this.#db,
          sql`update webhooks set ${sql.join([...sets, sql`updated_at = ${now}`])} where id = ${id}`,
        ),
    );
  }

  async remove(id: string): Promise<void> {
    await all(this.#db, sql`delete from webhook_deliveries where webhook_id = ${id}`);
    await all(this.#db, sql`delete from webhooks where id = ${id}`);
  }

  async advance(id: string, from: number, to: number): Promise<boolean> {
    const count = await changed(
      this.#db,
      sql`
        update webhooks set event_cursor = ${to}
        where id = ${id} and enabled = 1 and event_cursor = ${from}`,
    );
    return count > 0;
  }

  async noteAttempt(id: string, succeeded: boolean, now: Instant): Promise<void> {
    const set = succeeded
      ? sql`failing_since = null, last_success_at = ${now}`
      : sql`failing_since = coalesce(failing_since, ${now})`;
    await changed(this.#db, sql`update webhooks set ${set} where id = ${id}`);
  }

  async #read(where: RawBuilder<unknown>): Promise<WebhookRow[]> {
    const rows = await all(
      this.#db,
      sql<Stored>`
        select
          w.id as "id", w.organization_id as "organizationId", o.name as "organizationName", w.name as "name",
          w.url as "url", w.events as "events", w.enabled as "enabled", w.disabled_reason as "disabledReason",
          w.secret as "secret", w.previous_secret as "previousSecret", w.previous_until as "previousUntil",
          w.event_cursor as "cursor", w.failing_since as "failingSince", w.last_success_at as "lastSuccessAt",
          w.created_by as "createdBy", w.created_at as "createdAt", w.updated_at as "updatedAt",
          (select count(*) from webhook_deliveries as d where d.webhook_id = w.id and d.status = 'PENDING')
            as "pending"
        from webhooks as w join organizations as o on o.id = w.organization_id
        where ${where}`,
    );
    return rows.map((row) => ({
      ...row,
      enabled: row.enabled === 1,
      events: JSON.parse(row.events) as string[],
      secret: JSON.parse(row.secret) as SealedText,
      previousSecret: row.previousSecret === null ? null : (JSON.parse(row.previousSecret) as SealedText),
      pending: Number(row.pending),
    }));
  }
}

type Stored = Omit<WebhookRow, 'enabled' | 'events' | 'secret' | 'previousSecret'> & {
  enabled: 0 | 1;
  events: string;
  secret: string;
  previousSecret: string | null;
};

const columns: Record<keyof WebhookValues, string> = {
  name: 'name',
  url: 'url',
  events: 'events',
  enabled: 'enabled',
  disabledReason: 'disabled_reason',
  secret: 'secret',
  previousSecret: 'previous_secret',
  previousUntil: 'previous_until',
  cursor: 'event_cursor',
  failingSince: 'failing_since',
};

const stored = (value: unknown): unknown => {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
};

const taken = (name: string): string => `There is a webhook ${name} already: expected another name`;
