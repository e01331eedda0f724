import type { Clock, Random } from '../../shared/clock.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { ControllerIdentity } from '../devices/identity.ts';
import type { Access } from '../access/access.ts';
import type { Content } from '../content/content.ts';
import type { Admission } from '../devices/admission.ts';
import type { DeviceKeys } from '../devices/keys.ts';
import type { DeviceRegistry } from '../devices/registry.ts';
import type { Tokens } from '../devices/tokens.ts';
import type { Store } from '../store/store.ts';
import type { Configuration } from '../sync/configuration.ts';
import type { TaskRow } from '../store/tasks.ts';
import type { Cancellation } from '../tasks/cancel.ts';
import type { ConnectAnswer, ConnectRequest } from '../../shared/api/sessions.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { Actor } from '../devices/actor.ts';
import type { SessionRow } from '../store/sessions.ts';
import type { EventStream } from '../tasks/events.ts';
import type { RunAnswer } from '../../shared/api/tasks.ts';
import type { RetryRun } from '../../shared/api/runs.ts';
import type { Questions } from '../questions/questions.ts';
import type { AgentTasks } from '../assistant/agent-tasks.ts';
import type { Schedules } from '../schedules/schedules.ts';
import type { Submission, Submitted } from '../tasks/submit.ts';
import type { Webhooks } from '../webhooks/webhooks.ts';

/** What the API needs of the controller's core. */
export interface ApiCore {
  readonly identity: ControllerIdentity;
  readonly admission: Pick<Admission, 'authenticateRequest'>;
  readonly devices: DeviceRegistry;
  readonly deviceKeys: Pick<DeviceKeys, 'hold'>;
  readonly tokens: Tokens;
  readonly access: Access;
  readonly events: EventStream;
  readonly sessions: {
    open(
      actor: Actor,
      organization: OrganizationRow,
      device: string,
      wish: ConnectRequest,
    ): Promise<ConnectAnswer>;
    close(actor: Actor, idOrCode: string): Promise<SessionRow>;
  };
  submit(submission: Submission): Promise<Submitted>;
  cancelTask: Cancellation['cancelTask'];
  cancelRun: Cancellation['cancelRun'];
  readonly schedules: Schedules;
  readonly agentTasks: AgentTasks;
  readonly questions: Questions;
  retryRun(
    who: { actor: Actor; organization: OrganizationRow },
    what: { run: string; only: RetryRun['only'] },
  ): Promise<RunAnswer>;
  status(): ApiCoreStatus;
}

/** Counts since start, and what is true now. */
export interface ApiCoreStatus {
  ready: boolean;
  linksOpen: number;
  devicesOnline: number;
  offersSent: number;
  reportsApplied: number;
  commits: number;
  commitFailures: number;
  eventSubscribers: number;
  linksRefused: number;
}

export interface ApiConfig {
  /** Shown in OpenAPI and metrics. */
  version: string;
  /** Address under which people reach the API, for the OpenAPI document; none: relative to the document. */
  publicUrl: string | undefined;
  /** PEM texts; with them the API and the links are served over TLS. */
  tls?: { cert: Buffer; key: Buffer };
  /** Addresses of proxies whose X-Forwarded-For is believed. */
  trustedProxies: string[];
  bodyLimitBytes: number;
  /** Requests a minute: per token, per address with wrong or no token, and enrolments per address. */
  requestsPerMinute: number;
  strangerRequestsPerMinute: number;
  enrolmentsPerMinute: number;
  /** Open event streams, all together. */
  maxEventStreams: number;
  eventHeartbeatMs: number;
  /** A reader of events that takes nothing for so long is disconnected. */
  slowReaderMs: number;
  /** Metrics carry no names, but the size of the fleet: `viewer` asks for a token. */
  metricsAccess: 'public' | 'viewer';
  /** CPU, memory and event loop of this process among the metrics. */
  processMetrics: boolean;
  /** Holds every answer against its schema; for tests. */
  checkAnswers: boolean;
}

export const defaultApiConfig: ApiConfig = {
  version: '0.1.0',
  publicUrl: undefined,
  trustedProxies: [],
  bodyLimitBytes: 2 * 1024 * 1024,
  requestsPerMinute: 60_000,
  strangerRequestsPerMinute: 600,
  enrolmentsPerMinute: 600,
  maxEventStreams: 2_000,
  eventHeartbeatMs: 15_000,
  slowReaderMs: 30_000,
  metricsAccess: 'public',
  processMetrics: true,
  checkAnswers: false,
};

/** Answers JSON `{NAME: value}` of what the task's manifest asks for, encrypted (age) to the device's own recipient. */
export type SecretsFor = (task: TaskRow) => Promise<Uint8Array>;

/** Everything the API is made of. */
export interface ApiParts {
  core: ApiCore;
  store: Store;
  content: Content;
  configuration: Configuration;
  webhooks: Webhooks;
  /** The secrets of a SYNC's manifest, encrypted to its device. */
  secretsFor?: SecretsFor;
  clock: Clock;
  random: Random;
  log: Logger;
  config: ApiConfig;
}
