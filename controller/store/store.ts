import { type AccessStore, SqlAccessStore } from './access.ts';
import { type AccountStore, SqlAccountStore } from './accounts.ts';
import { type ArchiveStore, SqlArchiveStore } from './archives.ts';
import { type AssistantStore, SqlAssistantStore } from './assistant.ts';
import { type AuditStore, SqlAuditStore } from './audit.ts';
import { type BackupConfigStore, SqlBackupConfigStore } from './backup-configs.ts';
import { type BlobIndex, SqlBlobIndex } from './blobs.ts';
import { type BundleStore, SqlBundleStore } from './bundles.ts';
import { type DeviceConfigStore, SqlDeviceConfigStore } from './device-configs.ts';
import { type DeviceStore, SqlDeviceStore } from './devices.ts';
import { type Db, atomically } from './dialect.ts';
import { type EventStore, SqlEventStore } from './events.ts';
import { type IdentityStore, SqlIdentityStore } from './identities.ts';
import { type LoginStore, SqlLoginStore } from './logins.ts';
import { type LogStore, SqlLogStore } from './logs.ts';
import { type ManifestStore, SqlManifestStore } from './manifests.ts';
import { type QuestionStore, SqlQuestionStore } from './questions.ts';
import { type RetryStore, SqlRetryStore } from './retries.ts';
import { type RunStore, SqlRunStore } from './runs.ts';
import { type ScheduleStore, SqlScheduleStore } from './schedules.ts';
import { type SessionStore, SqlSessionStore } from './sessions.ts';
import { type SettingStore, SqlSettingStore } from './settings.ts';
import { type SnapshotStore, SqlSnapshotStore } from './snapshots.ts';
import { SqlTaskStore, type TaskStore } from './tasks.ts';
import { SqlTextStore, type TextStore } from './texts.ts';
import { SqlVariableStore, type VariableStore } from './variables.ts';
import { type ReleaseStore, SqlReleaseStore } from './releases.ts';
import { SqlWebhookDeliveryStore, type WebhookDeliveryStore } from './webhook-deliveries.ts';
import { SqlWebhookStore, type WebhookStore } from './webhooks.ts';

/** What the controller remembers, table by table. Every method is one statement or a few, all set-based; times are epoch milliseconds. */
export interface StoreTables {
  settings: SettingStore;
  access: AccessStore;
  accounts: AccountStore;
  logins: LoginStore;
  identities: IdentityStore;
  devices: DeviceStore;
  tasks: TaskStore;
  runs: RunStore;
  logs: LogStore;
  events: EventStore;
  audit: AuditStore;
  blobs: BlobIndex;
  snapshots: SnapshotStore;
  archives: ArchiveStore;
  backupConfigs: BackupConfigStore;
  texts: TextStore;
  bundles: BundleStore;
  variables: VariableStore;
  manifests: ManifestStore;
  deviceConfigs: DeviceConfigStore;
  releases: ReleaseStore;
  webhooks: WebhookStore;
  webhookDeliveries: WebhookDeliveryStore;
  sessions: SessionStore;
  schedules: ScheduleStore;
  retries: RetryStore;
  assistant: AssistantStore;
  questions: QuestionStore;
}

/** The one async interface over SQLite and PostgreSQL. Its promises are written down as `test/store-conformance.ts`. */
export interface Store extends StoreTables {
  /** Everything `work` does is committed together, or nothing is: it throws, and the error is passed on. Not nested. */
  transaction<T>(work: (tables: StoreTables) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The store over any dialect. */
export class SqlStore implements Store {
  readonly settings: SettingStore;
  readonly access: AccessStore;
  readonly accounts: AccountStore;
  readonly logins: LoginStore;
  readonly identities: IdentityStore;
  readonly devices: DeviceStore;
  readonly tasks: TaskStore;
  readonly runs: RunStore;
  readonly logs: LogStore;
  readonly events: EventStore;
  readonly audit: AuditStore;
  readonly blobs: BlobIndex;
  readonly snapshots: SnapshotStore;
  readonly archives: ArchiveStore;
  readonly backupConfigs: BackupConfigStore;
  readonly texts: TextStore;
  readonly bundles: BundleStore;
  readonly variables: VariableStore;
  readonly manifests: ManifestStore;
  readonly deviceConfigs: DeviceConfigStore;
  readonly releases: ReleaseStore;
  readonly webhooks: WebhookStore;
  readonly webhookDeliveries: WebhookDeliveryStore;
  readonly sessions: SessionStore;
  readonly schedules: ScheduleStore;
  readonly retries: RetryStore;
  readonly assistant: AssistantStore;
  readonly questions: QuestionStore;
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
    const tables = tablesOf(db);
    this.settings = tables.settings;
    this.access = tables.access;
    this.accounts = tables.accounts;
    this.logins = tables.logins;
    this.identities = tables.identities;
    this.devices = tables.devices;
    this.tasks = tables.tasks;
    this.runs = tables.runs;
    this.logs = tables.logs;
    this.events = tables.events;
    this.audit = tables.audit;
    this.blobs = tables.blobs;
    this.snapshots = tables.snapshots;
    this.archives = tables.archives;
    this.backupConfigs = tables.backupConfigs;
    this.texts = tables.texts;
    this.bundles = tables.bundles;
    this.variables = tables.variables;
    this.manifests = tables.manifests;
    this.deviceConfigs = tables.deviceConfigs;
    this.releases = tables.releases;
    this.webhooks = tables.webhooks;
    this.webhookDeliveries = tables.webhookDeliveries;
    this.sessions = tables.sessions;
    this.schedules = tables.schedules;
    this.retries = tables.retries;
    this.assistant = tables.assistant;
    this.questions = tables.questions;
  }

  transaction<T>(work: (tables: StoreTables) => Promise<T>): Promise<T> {
    return atomically(this.#db, (db) => work(tablesOf(db)));
  }

  close(): Promise<void> {
    return this.#db.kysely.destroy();
  }
}

const tablesOf = (db: Db): StoreTables => ({
  settings: new SqlSettingStore(db),
  access: new SqlAccessStore(db),
  accounts: new SqlAccountStore(db),
  logins: new SqlLoginStore(db),
  identities: new SqlIdentityStore(db),
  devices: new SqlDeviceStore(db),
  tasks: new SqlTaskStore(db),
  runs: new SqlRunStore(db),
  logs: new SqlLogStore(db),
  events: new SqlEventStore(db),
  audit: new SqlAuditStore(db),
  blobs: new SqlBlobIndex(db),
  snapshots: new SqlSnapshotStore(db),
  archives: new SqlArchiveStore(db),
  backupConfigs: new SqlBackupConfigStore(db),
  texts: new SqlTextStore(db),
  bundles: new SqlBundleStore(db),
  variables: new SqlVariableStore(db),
  manifests: new SqlManifestStore(db),
  deviceConfigs: new SqlDeviceConfigStore(db),
  releases: new SqlReleaseStore(db),
  webhooks: new SqlWebhookStore(db),
  webhookDeliveries: new SqlWebhookDeliveryStore(db),
  sessions: new SqlSessionStore(db),
  schedules: new SqlScheduleStore(db),
  retries: new SqlRetryStore(db),
  assistant: new SqlAssistantStore(db),
  questions: new SqlQuestionStore(db),
});
