import type { DeviceStatus } from '../../shared/api/devices.ts';
import type { Instant } from '../../shared/clock.ts';
import type { Labels } from '../../shared/ids.ts';
import type { Lane } from '../../shared/task-types/task-type.ts';
import type { PageOf, Paging } from './access.ts';

export interface NewDevice {
  id: string;
  organizationId: string;
  name: string;
  status: DeviceStatus;
  /** Raw Ed25519 public key, base64url; unique among devices that are not removed. */
  publicKey: string;
  labels: Labels;
  agentVersion: string;
  createdAt: Instant;
}

export interface DeviceRow {
  id: string;
  organizationId: string;
  name: string;
  status: DeviceStatus;
  publicKey: string;
  labels: Labels;
  agentVersion: string | null;
  taskTypes: string[];
  slots: Partial<Record<Lane, number>>;
  facts: Record<string, unknown> | null;
  factsDigest: string | null;
  bootId: string | null;
  instanceId: string | null;
  /** Newest link that said hello: (epoch, connection) of the store `storeId`. */
  epoch: number;
  connection: number;
  storeId: string | null;
  quarantinedAt: Instant | null;
  quarantineReason: string | null;
  lastSeenAt: Instant | null;
  createdAt: Instant;
  updatedAt: Instant;
}

/** What a hello changes. */
export interface HelloRow {
  deviceId: string;
  agentVersion: string;
  taskTypes: string[];
  slots: Partial<Record<Lane, number>>;
  bootId: string;
  instanceId: string;
  epoch: number;
  connection: number;
  storeId: string;
  at: Instant;
}

/** One local database a device has shown, and the last outbox row of it that was applied. */
export interface DeviceStoreRow {
  deviceId: string;
  storeId: string;
  appliedSeq: number;
  /** Set when the device came with a newer database: this one must not return. */
  supersededAt: Instant | null;
}

export interface DeviceFilter {
  organizationId: string;
  /** Restricts to these devices; the caller has resolved names and regular expressions. */
  ids?: string[];
  status?: DeviceStatus;
  labels?: Labels;
  sortBy: 'name' | 'status' | 'created_at' | 'updated_at' | 'heartbeat';
  descending: boolean;
}

/** Devices that are not removed, unless said otherwise. */
export interface DeviceStore {
  /** Throws `AppError('name_taken')` when the name or the key is in use. */
  insert(device: NewDevice): Promise<void>;
  get(id: string): Promise<DeviceRow | undefined>;
  getMany(ids: string[]): Promise<DeviceRow[]>;
  byName(organizationId: string, name: string): Promise<DeviceRow | undefined>;
  byPublicKey(publicKey: string): Promise<DeviceRow | undefined>;
  /** Every device of the organization in brief, for resolving names, patterns and labels. Ordered by name. */
  brief(
    organizationId: string,
  ): Promise<
    {
      id: string;
      name: string;
      status: DeviceStatus;
      labels: Labels;
      taskTypes: string[];
      agentVersion: string | null;
    }[]
  >;
  list(filter: DeviceFilter, paging: Paging): Promise<PageOf<DeviceRow>>;
  count(organizationId: string): Promise<number>;

  setStatus(id: string, status: DeviceStatus, now: Instant): Promise<void>;
  rename(id: string, name: string, now: Instant): Promise<void>;
  setLabels(id: string, labels: Labels, now: Instant): Promise<void>;
  /** The row stays for the history, as `NAME__deleted__CODE`; its name and key are free again. */
  remove(id: string, now: Instant): Promise<void>;
  /** `reason` null lifts it. */
  setQuarantine(id: string, reason: string | null, now: Instant): Promise<void>;

  /** Stores accepted hellos, and opens or supersedes their local databases (`deviceStores`). */
  saveHellos(rows: HelloRow[]): Promise<void>;
  saveFacts(deviceId: string, digest: string, facts: Record<string, unknown>, now: Instant): Promise<void>;
  touch(deviceIds: string[], now: Instant): Promise<void>;
  deviceStores(deviceIds: string[]): Promise<DeviceStoreRow[]>;
  /** Raises `appliedSeq`; never lowers it. Belongs in the transaction that applies the reports. */
  advance(rows: { deviceId: string; storeId: string; seq: number }[]): Promise<void>;
}
