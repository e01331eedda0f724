import type { Clock, Random } from '../shared/clock.ts';
import type { FrameSocket } from '../shared/frame-socket.ts';
import type { Logger } from '../shared/node/logger.ts';
import type { Bus } from './bus/bus.ts';
import type { Admission, AdmittedDevice } from './devices/admission.ts';
import type { ControllerIdentity } from './devices/identity.ts';
import type { DeviceRegistry } from './devices/registry.ts';
import type { Tokens } from './devices/tokens.ts';
import type { ControllerSettings } from './settings.ts';
import type { Store } from './store/store.ts';
import type { Cancellation } from './tasks/cancel.ts';
import type { EventStream } from './tasks/events.ts';
import type { Submission, Submitted } from './tasks/submit.ts';

export { type ControllerSettings, defaultSettings } from './settings.ts';
export type { ControllerIdentity } from './devices/identity.ts';

export interface ControllerParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  random: Random;
  log: Logger;
  identity: ControllerIdentity;
  settings: ControllerSettings;
}

/** Counts since start, and what is true now, for metrics. */
export interface CoreStatus {
  /** The loops run, and the last commit did not fail. */
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

/** The controller without HTTP and ws: what the API, the link server and the simulation drive. */
export interface ControllerCore {
  readonly identity: ControllerIdentity;
  readonly admission: Admission;
  readonly devices: DeviceRegistry;
  readonly tokens: Tokens;
  readonly events: EventStream;
  /** Starts all loops; settles when aborted, and touches the store no more after that. */
  run(signal: AbortSignal): Promise<void>;
  /** Takes over a socket of an admitted device. */
  openLink(device: AdmittedDevice, socket: FrameSocket): void;
  /** Creates a run with its tasks: all or nothing. Throws 400 and 422 errors that name the field or the targets. */
  submit(submission: Submission): Promise<Submitted>;
  cancelTask: Cancellation['cancelTask'];
  cancelRun: Cancellation['cancelRun'];
  status(): CoreStatus;
}
