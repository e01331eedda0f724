import { defaultSettings } from '../../controller/core.ts';
import { openStore } from '../../controller/store/open.ts';
import { type AgentConfig, defaultAgentConfig } from '../../agent/config.ts';
import { DialRefused } from '../../agent/link/dial-refused.ts';
import { importPrivateKey, type KeyPair } from '../../shared/node/keys.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { openSqlite, type Sqlite } from '../../shared/node/sqlite.ts';
import { accountId, ControllerNode, organizationId } from './controller-node.ts';
import { DeviceNode } from './device-node.ts';
import { EventReader } from './event-reader.ts';
import { Ledger } from './ledger.ts';
import { Network } from './network.ts';
import { Observer } from './observer.ts';
import type { ControllerDoor, Plant } from './plants.ts';
import type { SeededRandom } from './random.ts';
import { deviceName } from './requests.ts';
import type { Schedule } from './schedule.ts';
import { Scheduler } from './scheduler.ts';
import { SyncOrders } from './sync-orders.ts';
import { Trace } from './trace.ts';

export interface WorldParts {
  random: SeededRandom;
  schedule: Schedule;
  /** A migrated database with the organization in it. */
  image: Buffer;
  keepsTrace: boolean;
  log: (trace: Trace) => Logger;
  plant: Plant;
}

/** The first moment of every simulation. */
export const bornAt = Date.UTC(2026, 0, 1);

const tenYears = 10 * 365 * 86_400_000;

/** One controller and its devices, enrolled and approved, with everything between them. */
export class World {
  readonly scheduler = new Scheduler();
  readonly ledger = new Ledger();
  readonly events = new EventReader(this.ledger);
  readonly orders = new SyncOrders();
  readonly trace: Trace;
  readonly network: Network;
  readonly controller: ControllerNode;
  readonly devices: DeviceNode[];
  /** The controller's database file. */
  readonly raw: Sqlite;
  readonly #admission;

  constructor({ random, schedule, image, keepsTrace, log: createLog, plant }: WorldParts) {
    const { scheduler, ledger } = this;
    this.trace = new Trace(scheduler, keepsTrace);
    const { trace } = this;
    const log = createLog(trace);
    this.raw = openSqlite(image);
    const { raw } = this;
    const keys = fixedKeys();
    const observer = new Observer({ raw, ledger, scheduler, trace });
    const door: ControllerDoor = plant.controllerSocket?.() ?? ((_deviceId, socket, open) => open(socket));

    this.controller = new ControllerNode({
      scheduler,
      trace,
      random: random.split('controller'),
      log,
      bornAt,
      raw,
      keys,
      settings: simulatedSettings,
      lostWakeUps: schedule.lostWakeUps,
      started: (core, process) => this.events.follow(core, process),
      committed: () => observer.committed(),
      failed: (error) => {
        ledger.bugs.push(`the controller failed: ${error instanceof Error ? error.stack : String(error)}`);
      },
      plantStore: (store, database) => plant.store?.(store, database) ?? store,
      plantSocket: door,
    });

    const delays = random.split('delays');
    const longestMs = delays.pick([5, 50, 400]);
    const { controller } = this;
    this.network = new Network(
      { scheduler, trace, delayMs: () => delays.integer(1, delays.chance(0.02) ? 3_000 : longestMs) },
      {
        get process() {
          return controller.core ? controller.process : undefined;
        },
        admit: (deviceId) => this.#admit(deviceId),
        isLockedOut: (deviceId) =>
          this.devices.some(({ id, managed }) => id === deviceId && managed.lockedOut),
        openLink: (deviceId, socket) => controller.openLink(deviceId, socket),
      },
    );
    this.#admission = raw.prepare<[string], { status: string; quarantineReason: string | null }>(
      'SELECT status, quarantine_reason AS quarantineReason FROM devices WHERE id = ? AND removed_at IS NULL',
    );
    this.devices = Array.from({ length: schedule.devices }, (_, index) =>
      this.#addDevice(index, { random, schedule, log, plant, controllerKey: keys.publicKey }),
    );
  }

  start(): void {
    this.controller.start();
    for (const device of this.devices) device.powerOn();
  }

  /** Devices that were not removed. */
  get present(): DeviceNode[] {
    return this.devices.filter(({ id }) => this.#admission.get(id) !== undefined);
  }

  /** The database of each device by its id, of those that were not removed. */
  get agentDatabases(): Map<string, Sqlite> {
    return new Map(this.present.map((device) => [device.id, device.raw]));
  }

  close(): void {
    this.raw.close();
    for (const device of this.devices) device.raw.close();
  }

  #addDevice(
    index: number,
    parts: {
      random: SeededRandom;
      schedule: Schedule;
      log: Logger;
      plant: Plant;
      controllerKey: string;
    },
  ): DeviceNode {
    const { random, schedule, log, plant, controllerKey } = parts;
    const id = `00000000-0000-4000-9000-${String(index + 1).padStart(12, '0')}`;
    const name = deviceName(index);
    this.raw
      .prepare(
        `INSERT INTO devices (id, organization_id, name, status, public_key, labels, created_at, updated_at)
         VALUES (?, ?, ?, 'ENABLED', ?, '{}', ?, ?)`,
      )
      .run(id, organizationId, name, `key of ${name}`, bornAt, bornAt);
    return new DeviceNode({
      id,
      name,
      scheduler: this.scheduler,
      trace: this.trace,
      ledger: this.ledger,
      random: random.split(name),
      log,
      network: this.network,
      bornAt,
      controllerKey,
      config: simulatedConfig(schedule.smallOutbox),
      plantHandlers: (handlers) => plant.handlers?.(handlers) ?? handlers,
      orders: this.orders,
      plantMachine: plant.machine ?? {},
      plantSocket: (socket) => plant.agentSocket?.(socket) ?? socket,
    });
  }

  /** What admission decides, without its tokens (they need real cryptography threads, which a simulation cannot order). */
  #admit(deviceId: string): void {
    const device = this.#admission.get(deviceId);
    if (device && device.quarantineReason !== null) {
      const bug = `${deviceId} was quarantined: ${device.quarantineReason}`;
      const isDeserved = this.ledger.machineEvents(deviceId).some(({ what }) => what === 'restored');
      if (!isDeserved && !this.ledger.bugs.includes(bug)) this.ledger.bugs.push(bug);
      throw new DialRefused('quarantined', bug, { retryAfterMs: 10_000 });
    }
    if (device?.status !== 'ENABLED') {
      throw new DialRefused('disabled', 'the device is disabled', { retryAfterMs: 5_000 });
    }
  }
}

/** Retention is out of the way of clocks that jump; the poll is slow, so that lost wake-ups show. */
const simulatedSettings = {
  ...defaultSettings,
  pollMs: 5_000,
  taskRetentionMs: tenYears,
  auditRetentionMs: tenYears,
  eventRetentionMs: tenYears,
  idempotencyMs: tenYears,
};

/** A migrated database with the organization in it, for every world to begin with. */
export async function prepareImage(): Promise<Buffer> {
  const database = openSqlite(':memory:');
  const store = await openStore({ dialect: 'sqlite', database });
  await store.access.insertOrganization({
    id: organizationId,
    name: 'default',
    displayName: 'Default',
    createdAt: bornAt,
  });
  await store.access.insertAccount({
    id: accountId,
    organizationId,
    email: 'operator@example.net',
    name: 'Operator',
    role: 'operator',
    createdAt: bornAt,
  });
  const image = database.serialize();
  await store.close();
  database.close();
  return image;
}

/** An Ed25519 key in PKCS #8 (RFC 8410), the same in every run. */
function fixedKeys(): KeyPair {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  const body = Buffer.concat([prefix, Buffer.alloc(32, 7)]).toString('base64');
  return importPrivateKey(`-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`);
}

/** An agent as it comes; with a small outbox, output that waits long is dropped and leaves gaps. */
const simulatedConfig = (smallOutbox: boolean): AgentConfig => ({
  ...defaultAgentConfig,
  ...(smallOutbox ? { outbox: { ...defaultAgentConfig.outbox, max_log_rows: 5 } } : {}),
});
