import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { ChangeWebhook, CreateWebhook, Redeliver } from '../../shared/api/webhooks.ts';
import type { Clock, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { auditEntry } from '../content/audit-entry.ts';
import type { Actor } from '../devices/actor.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { DeliveryRow } from '../store/webhook-deliveries.ts';
import type { WebhookRow, WebhookValues } from '../store/webhooks.ts';
import { type AddressRules, checkHost, checkUrl, hostOf } from './address-guard.ts';
import { drawMessageId, messageBody, testType } from './event-message.ts';
import { leaseMs, type WebhookSender } from './sender.ts';
import type { WebhookSecrets } from './webhook-secrets.ts';

export interface WebhooksParts {
  store: Store;
  clock: Clock;
  random: Random;
  rules: AddressRules;
  secrets: WebhookSecrets;
  sender: WebhookSender;
  /** Something may be due. */
  wake: () => void;
}

/** Of one organization. */
const maxWebhooks = 50;

/** What people do with webhooks. A URL may itself be a secret: the audit log names its host only. */
export class Webhooks {
  readonly #parts: WebhooksParts;

  constructor(parts: WebhooksParts) {
    this.#parts = parts;
  }

  /** Throws `not_found`. */
  get(organizationId: string, nameOrId: string): Promise<WebhookRow> {
    return found(this.#parts.store, organizationId, nameOrId);
  }

  /** It is told what happens from now on. The secret is not shown again. */
  async create(actor: Actor, wish: CreateWebhook): Promise<{ webhook: WebhookRow; secret: string }> {
    const { store, clock, random, secrets } = this.#parts;
    const { organizationId } = actor;
    const url = await this.#checked(wish.url);
    const id = random.uuid();
    const name = wish.name ?? nameAfter(url);
    const { secret, sealed } = secrets.draw({ id, organizationId, name });
    const webhook = await store.transaction(async (tables) => {
      await requireRoom(tables, organizationId);
      await tables.webhooks.insert({
        id,
        organizationId,
        name,
        url: url.href,
        events: wish.events ?? ['*'],
        enabled: wish.enabled,
        disabledReason: wish.enabled ? null : 'person',
        secret: sealed,
        cursor: (await tables.events.range()).newest,
        createdBy: actor.name,
        createdAt: clock.now(),
      });
      const detail = { host: url.host, events: wish.events ?? ['*'], enabled: wish.enabled };
      await this.#audit(tables, actor, { action: 'webhook.create', target: name, detail });
      return found(tables, organizationId, id);
    });
    this.#parts.wake();
    return { webhook, secret };
  }

  /** What is absent stays. */
  async change(actor: Actor, nameOrId: string, wish: ChangeWebhook): Promise<WebhookRow> {
    const url = wish.url === undefined ? undefined : await this.#checked(wish.url);
    const values: WebhookValues = {
      ...(wish.name !== undefined && { name: wish.name }),
      ...(wish.events !== undefined && { events: wish.events }),
      ...(url !== undefined && { url: url.href }),
    };
    const detail = { ...values, ...(url !== undefined && { url: undefined, host: url.host }) };
    return this.#update(actor, nameOrId, { action: 'webhook.change', detail, values: async () => values });
  }

  /** Enabled again it is told what happens from now on, or with `catchUp` what happened meanwhile too. */
  async enable(actor: Actor, nameOrId: string, catchUp: boolean): Promise<WebhookRow> {
    const webhook = await this.#update(actor, nameOrId, {
      action: 'webhook.enable',
      detail: { catch_up: catchUp },
      values: async (tables, { enabled }) => ({
        enabled: true,
        disabledReason: null,
        failingSince: null,
        ...(!catchUp && !enabled && { cursor: (await tables.events.range()).newest }),
      }),
    });
    this.#parts.wake();
    return webhook;
  }

  disable(actor: Actor, nameOrId: string): Promise<WebhookRow> {
    return this.#update(actor, nameOrId, {
      action: 'webhook.disable',
      detail: { reason: 'person' },
      values: async () => ({ enabled: false, disabledReason: 'person' }),
    });
  }

  /** The secret before signs too for a day. */
  async rotateSecret(actor: Actor, nameOrId: string): Promise<{ webhook: WebhookRow; secret: string }> {
    let secret = '';
    const webhook = await this.#update(actor, nameOrId, {
      action: 'webhook.rotate_secret',
      detail: {},
      values: async (_, before) => {
        const replaced = this.#parts.secrets.replace(before);
        secret = replaced.secret;
        return replaced.values;
      },
    });
    return { webhook, secret };
  }

  /** With its deliveries. */
  async remove(actor: Actor, nameOrId: string): Promise<void> {
    await this.#parts.store.transaction(async (tables) => {
      const { id, name } = await found(tables, actor.organizationId, nameOrId);
      await tables.webhooks.remove(id);
      await this.#audit(tables, actor, { action: 'webhook.remove', target: name, detail: {} });
    });
  }

  /** Sends a message for trying, once, whether it is enabled or not, and answers what came of it. */
  async test(actor: Actor, nameOrId: string): Promise<DeliveryRow> {
    const { store, clock, random, sender } = this.#parts;
    const webhook = await this.get(actor.organizationId, nameOrId);
    const now = clock.now();
    const id = drawMessageId(random, webhook.cursor);
    const data = { organization: webhook.organizationName, webhook: webhook.name, by: actor.name };
    await store.transaction(async (tables) => {
      const row = { id, webhookId: webhook.id, type: testType, createdAt: now, nextAt: now + leaseMs };
      await tables.webhookDeliveries.insert([{ ...row, body: messageBody(testType, now, data) }]);
      await this.#audit(tables, actor, { action: 'webhook.test', target: webhook.name, detail: {} });
    });
    const one = () => this.#delivery(webhook, id);
    await sender.attempt(webhook, { ...(await one()), attempts: 1 }, new AbortController().signal);
    return one();
  }

  /** Makes one delivery that is over, or all that failed, due again; returns how many. Their ids and bodies stay. */
  async redeliver(actor: Actor, nameOrId: string, { delivery }: Redeliver): Promise<number> {
    const { store, clock, wake } = this.#parts;
    const count = await store.transaction(async (tables) => {
      const webhook = await found(tables, actor.organizationId, nameOrId);
      if (!webhook.enabled) {
        throw new AppError('conflict', `Webhook ${webhook.name} is disabled: enable it to send to it`);
      }
      const filter = delivery === undefined ? { status: 'FAILED' as const } : { id: delivery };
      const reset = await tables.webhookDeliveries.reset(webhook.id, filter, clock.now());
      if (delivery !== undefined && reset === 0) await this.#refuseRedelivery(tables, webhook, delivery);
      const detail = { ...(delivery !== undefined && { delivery }), deliveries: reset };
      await this.#audit(tables, actor, { action: 'webhook.redeliver', target: webhook.name, detail });
      return reset;
    });
    wake();
    return count;
  }

  async #refuseRedelivery(tables: StoreTables, { id, name }: WebhookRow, delivery: string): Promise<never> {
    const { total } = await tables.webhookDeliveries.list(id, { id: delivery }, { page: 1, perPage: 1 });
    if (total === 0) throw noDelivery(name, delivery);
    throw new AppError('conflict', `Delivery ${delivery} is PENDING: it is being sent anyway`);
  }

  async #delivery({ id: webhookId, name }: WebhookRow, id: string): Promise<DeliveryRow> {
    const { webhookDeliveries } = this.#parts.store;
    const { items } = await webhookDeliveries.list(webhookId, { id }, { page: 1, perPage: 1 });
    if (items[0] === undefined) throw noDelivery(name, id);
    return items[0];
  }

  async #checked(text: string): Promise<URL> {
    const { rules } = this.#parts;
    const url = checkUrl(text, rules);
    await checkHost(url, rules);
    return url;
  }

  async #update(
    actor: Actor,
    nameOrId: string,
    what: {
      action: AuditAction;
      detail: Record<string, unknown>;
      values: (tables: StoreTables, before: WebhookRow) => Promise<WebhookValues>;
    },
  ): Promise<WebhookRow> {
    const { store, clock } = this.#parts;
    return store.transaction(async (tables) => {
      const before = await found(tables, actor.organizationId, nameOrId);
      await tables.webhooks.update(before.id, await what.values(tables, before), clock.now());
      await this.#audit(tables, actor, { ...what, target: before.name });
      return found(tables, actor.organizationId, before.id);
    });
  }

  async #audit(
    tables: StoreTables,
    actor: Actor,
    { action, target, detail }: { action: AuditAction; target: string; detail: Record<string, unknown> },
  ): Promise<void> {
    await tables.audit.append([auditEntry(actor, this.#parts.clock.now(), { action, target, detail })]);
  }
}

async function found(
  { webhooks }: Pick<StoreTables, 'webhooks'>,
  organizationId: string,
  nameOrId: string,
): Promise<WebhookRow> {
  const row = await webhooks.get(organizationId, nameOrId);
  if (row === undefined) throw new AppError('not_found', `There is no webhook ${nameOrId}`);
  return row;
}

async function requireRoom({ webhooks }: StoreTables, organizationId: string): Promise<void> {
  const { total } = await webhooks.list(organizationId, { page: 1, perPage: 1 });
  if (total < maxWebhooks) return;
  throw new AppError('conflict', `There are ${total} webhooks already: expected at most ${maxWebhooks}`);
}

const noDelivery = (name: string, id: string): AppError =>
  new AppError('not_found', `Webhook ${name} has no delivery ${id}`);

/** The host, in the characters that names have. */
const nameAfter = (url: URL): string =>
  hostOf(url)
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 63) || 'webhook';
