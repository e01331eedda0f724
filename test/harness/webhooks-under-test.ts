import { createInProcessBus } from '../../controller/bus/in-process.ts';
import { keyInMemory } from '../../controller/content/secret-key.ts';
import { emptyDatabase, openStore } from '../../controller/store/open.ts';
import type { Store } from '../../controller/store/store.ts';
import type { DeliveryRow } from '../../controller/store/webhook-deliveries.ts';
import { createWebhooks, type WebhookService } from '../../controller/webhooks/create-webhooks.ts';
import type { EventType } from '../../shared/api/events.ts';
import type { CreateWebhook } from '../../shared/api/webhooks.ts';
import { silentLogger } from '../../shared/node/logger.ts';
import { openSqlite } from '../../shared/node/sqlite.ts';
import { systemRandom } from '../../shared/node/system-clock.ts';
import { TestClock } from './test-clock.ts';
import { until } from './until.ts';

let empty: Promise<Buffer> | undefined;

/** Webhooks over a real store and real HTTP, with a clock that a test moves. */
export class WebhooksUnderTest implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly bus = createInProcessBus();
  readonly store: Store;
  readonly actor = { name: 'ann@example.org', organizationId: 'home', ipAddress: null, requestId: null };
  readonly #masterKey = keyInMemory(systemRandom);
  #service: WebhookService;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  private constructor(store: Store) {
    this.store = store;
    this.#service = this.#create();
  }

  static async start(): Promise<WebhooksUnderTest> {
    empty ??= emptyDatabase();
    const store = await openStore({ dialect: 'sqlite', database: openSqlite(await empty) });
    for (const name of ['home', 'away']) {
      await store.access.insertOrganization({ id: name, name, displayName: name, createdAt: 0 });
    }
    const webhooks = new WebhooksUnderTest(store);
    webhooks.run();
    return webhooks;
  }

  get service() {
    return this.#service.webhooks;
  }

  /** What a controller that starts over the same store does. */
  run(): void {
    this.#stop = new AbortController();
    this.#service = this.#create();
    this.#running = this.#service.run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.store.close();
  }

  /** Adds one, and returns its secret. */
  async add(wish: { url: string; name: string } & Partial<CreateWebhook>): Promise<string> {
    return (await this.service.create(this.actor, { enabled: true, ...wish })).secret;
  }

  /** Something happens. */
  async event(type: EventType, data: Record<string, unknown> = {}, organizationId = 'home'): Promise<void> {
    const whose = { organizationId, deviceId: null, taskId: null, runId: null };
    await this.store.events.append([{ ...whose, type, at: this.clock.now(), data }]);
    this.bus.publish('events', {});
  }

  /** Lets time pass in steps, with real input and output in between, until something is so. */
  async until<Value>(what: string, probe: () => Promise<Value> | Value, stepMs = 50) {
    return until(
      what,
      async () => {
        await this.clock.advance(stepMs);
        return probe();
      },
      { everyMs: 2, deadlineMs: 15_000 },
    );
  }

  /** Oldest first. */
  async deliveries(name: string): Promise<DeliveryRow[]> {
    const { id } = await this.service.get('home', name);
    const { items } = await this.store.webhookDeliveries.list(id, {}, { page: 1, perPage: 1000 });
    return items.reverse();
  }

  async isOver(name: string): Promise<boolean> {
    return (await this.deliveries(name)).every(({ status }) => status !== 'PENDING');
  }

  #create(): WebhookService {
    return createWebhooks({
      store: this.store,
      bus: this.bus,
      clock: this.clock,
      random: systemRandom,
      log: silentLogger(),
      masterKey: this.#masterKey,
      rules: { allowPrivateNetworks: true, allowHttp: true },
    });
  }
}
