import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { EventType } from '../../shared/api/events.ts';
import type { Clock, Instant } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { Labels } from '../../shared/ids.ts';
import { parse } from '../../shared/parse.ts';
import type { EnrolAnswer, EnrolRequest } from '../../shared/protocol/enrol.ts';
import { closeCodes } from '../../shared/protocol/version.ts';
import type { Bus } from '../bus/bus.ts';
import type { DeviceRow } from '../store/devices.ts';
import type { StoreTables } from '../store/store.ts';
import type { TaskMove } from '../store/tasks.ts';
import type { Actor } from './actor.ts';
import { requireZoneLabel } from './device-zone.ts';
import { enrol, type EnrolParts, type Origin } from './enrol.ts';
import { searchNames } from './name-pattern.ts';
import type { OnlineDevices } from './online.ts';

export interface RegistryParts extends EnrolParts {
  bus: Bus;
  clock: Clock;
  online: OnlineDevices;
  /** What a removal does to the device's open tasks, in its transaction. */
  failTasks(tables: StoreTables, deviceId: string): Promise<TaskMove[]>;
  /** Told after a removal whose tasks ended. */
  tasksEnded(moves: TaskMove[]): void;
}

interface Change {
  action: AuditAction;
  event: EventType;
  detail?: Record<string, unknown>;
}

/**
 * Everything people and devices do to devices. Methods that name a device look it up in `actor.organizationId` and throw `not_found`.
 *
 * - Each change is one transaction with its audit entry and event.
 * - Links are closed after the commit, so that a device which returns at once finds the door as the change left it.
 */
export class DeviceRegistry {
  readonly #parts: RegistryParts;

  constructor(parts: RegistryParts) {
    this.#parts = parts;
  }

  async enrol(request: EnrolRequest, origin: Origin): Promise<EnrolAnswer> {
    const { answer, reboundId } = await enrol(this.#parts, request, origin);
    if (reboundId !== undefined) this.#close(reboundId, 'another machine took the place of the device');
    this.#parts.bus.publish('events', {});
    return answer;
  }

  /** PENDING or DISABLED → ENABLED; also lifts a quarantine. */
  approve(actor: Actor, name: string): Promise<DeviceRow> {
    return this.#change(actor, name, { action: 'device.approve', event: 'device.approved' }, enable);
  }

  enable(actor: Actor, name: string): Promise<DeviceRow> {
    return this.#change(
      actor,
      name,
      { action: 'device.enable', event: 'device.approved' },
      (tables, device, now) => tables.devices.setStatus(device.id, 'ENABLED', now),
    );
  }

  /** ENABLED → DISABLED; its link is closed, its tasks wait. */
  async disable(actor: Actor, name: string): Promise<DeviceRow> {
    const change = { action: 'device.disable', event: 'device.disabled' } as const;
    const device = await this.#change(actor, name, change, (tables, { id }, now) =>
      tables.devices.setStatus(id, 'DISABLED', now),
    );
    this.#close(device.id, 'the device was disabled');
    return device;
  }

  /** The device makes a new key as soon as it is there; until it came with that, both are accepted. Throws `conflict` for a revoked key. */
  async rotateKey(actor: Actor, name: string): Promise<DeviceRow> {
    const change = { action: 'device.rotate_key', event: 'device.key_wanted' } as const;
    const device = await this.#change(actor, name, change, async (tables, { id, keyRevokedAt }, now) => {
      if (keyRevokedAt !== null) {
        throw new AppError(
          'conflict',
          `The key of device ${name} was revoked: it cannot vouch for another one`,
        );
      }
      await tables.devices.keys.want(id, now);
    });
    // It is told when it comes back.
    this.#close(device.id, 'the device is to make a new key', closeCodes.goingAway);
    return device;
  }

  /** Its key is refused for ever; the device stays, until another machine takes its place. Its tasks wait. */
  async revoke(actor: Actor, name: string): Promise<DeviceRow> {
    const change = { action: 'device.revoke', event: 'device.key_revoked' } as const;
    const device = await this.#change(actor, name, change, (tables, { id }, now) =>
      tables.devices.keys.revoke(id, now),
    );
    this.#close(device.id, 'the key of the device was revoked');
    return device;
  }

  /** Throws `name_taken`. */
  rename(actor: Actor, name: string, newName: string): Promise<DeviceRow> {
    const change = {
      action: 'device.rename',
      event: 'device.renamed',
      detail: { new_name: newName },
    } as const;
    return this.#change(actor, name, change, (tables, { id }, now) =>
      tables.devices.rename(id, newName, now),
    );
  }

  replaceLabels(actor: Actor, name: string, labels: Labels): Promise<DeviceRow> {
    return this.#label(actor, name, () => labels);
  }

  /** Sets some labels; null removes one. */
  changeLabels(actor: Actor, name: string, changes: Record<string, string | null>): Promise<DeviceRow> {
    return this.#label(actor, name, (labels) =>
      Object.fromEntries(
        Object.entries({ ...labels, ...changes }).filter(
          (entry): entry is [string, string] => entry[1] !== null,
        ),
      ),
    );
  }

  /** Fails its open tasks (`device_removed`), closes its link, frees its name, ends its key for ever. */
  async remove(actor: Actor, name: string): Promise<void> {
    let moves: TaskMove[] = [];
    const change = { action: 'device.remove', event: 'device.removed' } as const;
    const device = await this.#change(actor, name, change, async (tables, { id }, now) => {
      moves = await this.#parts.failTasks(tables, id);
      await tables.variables.removeDevice(id);
      await tables.devices.keys.end(id, 'removed', now);
      await tables.devices.remove(id, now);
    });
    this.#close(device.id, 'the device was removed');
    this.#parts.tasksEnded(moves);
  }

  /** Has a link now and said hello on it. */
  isOnline(deviceId: string): boolean {
    return this.#parts.online.get(deviceId) !== undefined;
  }

  /** When it was heard last: from its link while it has one, as stored is up to a minute behind. */
  lastSeen({ id, lastSeenAt }: Pick<DeviceRow, 'id' | 'lastSeenAt'>): Instant | null {
    return this.#parts.online.heardAt(id) ?? lastSeenAt;
  }

  onlineIds(): string[] {
    return this.#parts.online.ids();
  }

  /** Devices a filter text means: the one of that exact name, else every one in whose name it occurs as a pattern. Throws `bad_request` for a bad pattern. */
  async idsMatching(organizationId: string, nameOrPattern: string): Promise<string[]> {
    const devices = await this.#parts.store.devices.brief(organizationId);
    return searchNames(devices, nameOrPattern).map(({ id }) => id);
  }

  #label(actor: Actor, name: string, next: (labels: Labels) => Labels): Promise<DeviceRow> {
    const change = { action: 'device.label', event: 'device.labelled' } as const;
    return this.#change(actor, name, change, async (tables, device, now) => {
      const labels = parse('labels', Labels, next(device.labels));
      requireZoneLabel(labels, device.labels);
      await tables.devices.setLabels(device.id, labels, now);
    });
  }

  /** Looks the device up, changes it, and writes it down, in one transaction; returns it as it is then (as it was, when it is gone). */
  async #change(
    actor: Actor,
    name: string,
    { action, event, detail = {} }: Change,
    apply: (tables: StoreTables, device: DeviceRow, now: number) => Promise<void>,
  ): Promise<DeviceRow> {
    const { store, bus, clock } = this.#parts;
    const now = clock.now();
    const { organizationId } = actor;
    const device = await store.transaction(async (tables) => {
      const found = await tables.devices.byName(organizationId, name);
      if (found === undefined) throw new AppError('not_found', `There is no device ${name}`);
      await apply(tables, found, now);
      const data = { name, ...detail };
      await tables.events.append([
        { type: event, at: now, organizationId, deviceId: found.id, taskId: null, runId: null, data },
      ]);
      const { ipAddress, requestId } = actor;
      await tables.audit.append([
        { at: now, organizationId, actor: actor.name, action, target: name, detail, ipAddress, requestId },
      ]);
      return (await tables.devices.get(found.id)) ?? found;
    });
    bus.publish('events', {});
    return device;
  }

  #close(deviceId: string, reason: string, code: number = closeCodes.deviceNotEnabled): void {
    this.#parts.bus.publish('close', { deviceIds: [deviceId], code, reason });
  }
}

async function enable(tables: StoreTables, device: DeviceRow, now: number): Promise<void> {
  await tables.devices.setStatus(device.id, 'ENABLED', now);
  if (device.quarantinedAt !== null) await tables.devices.setQuarantine(device.id, null, now);
}
