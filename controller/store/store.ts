import type { AccessStore } from './access.ts';
import type { AuditStore } from './audit.ts';
import type { DeviceStore } from './devices.ts';
import type { EventStore } from './events.ts';
import type { LogStore } from './logs.ts';
import type { RunStore } from './runs.ts';
import type { SettingStore } from './settings.ts';
import type { TaskStore } from './tasks.ts';

/** What the controller remembers, table by table. Every method is one statement or a few, all set-based; times are epoch milliseconds. */
export interface StoreTables {
  settings: SettingStore;
  access: AccessStore;
  devices: DeviceStore;
  tasks: TaskStore;
  runs: RunStore;
  logs: LogStore;
  events: EventStore;
  audit: AuditStore;
}

/** The one async interface over SQLite and PostgreSQL. Its promises are written down as `test/store-conformance.ts`. */
export interface Store extends StoreTables {
  /** Everything `work` does is committed together, or nothing is: it throws, and the error is passed on. Not nested. */
  transaction<T>(work: (tables: StoreTables) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
