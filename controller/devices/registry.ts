import type { EnrolAnswer, EnrolRequest } from '../../shared/protocol/enrol.ts';
import type { Labels } from '../../shared/ids.ts';
import type { DeviceRow } from '../store/devices.ts';
import type { Actor } from './actor.ts';

/**
 * Everything people and devices do to devices. Methods that name a device look it up in `actor.organizationId` and throw
 * `AppError('not_found')`. Each change is one transaction with its audit entry and event.
 */
export interface DeviceRegistry {
  /** A device asks to join. The same key again gets the same device, without using the token again. */
  enrol(
    request: EnrolRequest,
    from: { ipAddress: string | null; requestId: string | null },
  ): Promise<EnrolAnswer>;
  /** PENDING or DISABLED → ENABLED; also lifts a quarantine. */
  approve(actor: Actor, name: string): Promise<DeviceRow>;
  enable(actor: Actor, name: string): Promise<DeviceRow>;
  /** ENABLED → DISABLED; its link is closed, its tasks wait. */
  disable(actor: Actor, name: string): Promise<DeviceRow>;
  /** Throws `name_taken`. */
  rename(actor: Actor, name: string, newName: string): Promise<DeviceRow>;
  replaceLabels(actor: Actor, name: string, labels: Labels): Promise<DeviceRow>;
  /** Sets some labels; null removes one. */
  changeLabels(actor: Actor, name: string, changes: Record<string, string | null>): Promise<DeviceRow>;
  /** Fails its open tasks (`device_removed`), closes its link, frees its name and key. */
  remove(actor: Actor, name: string): Promise<void>;
  /** Has a link now and said hello on it. */
  isOnline(deviceId: string): boolean;
  onlineIds(): string[];
  /**
   * Resolves one target text: the device of that exact name, else every device whose whole name matches it as a regular expression.
   * Throws `bad_request` for a bad pattern. For `device_name` filters of lists.
   */
  idsMatching(organizationId: string, nameOrPattern: string): Promise<string[]>;
}
