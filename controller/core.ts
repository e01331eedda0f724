import type { Clock, Random } from '../shared/clock.ts';
import type { FrameSocket } from '../shared/frame-socket.ts';
import type { Logger } from '../shared/node/logger.ts';
import { type Access, createAccess } from './access/access.ts';
import { AgentTasks } from './assistant/agent-tasks.ts';
import { type AssistantSources, createAssistant } from './assistant/create-assistant.ts';
import type { OidcSettings } from './access/oidc/oidc-config.ts';
import type { Bus } from './bus/bus.ts';
import { Admission, type AdmittedDevice } from './devices/admission.ts';
import type { ControllerIdentity } from './devices/identity.ts';
import { OnlineDevices } from './devices/online.ts';
import { Presence } from './devices/presence.ts';
import { DeviceKeys } from './devices/keys.ts';
import { DeviceRegistry } from './devices/registry.ts';
import { Tokens } from './devices/tokens.ts';
import { Links } from './link/links.ts';
import { Questions } from './questions/questions.ts';
import { Scheduler } from './schedules/scheduler.ts';
import { Schedules } from './schedules/schedules.ts';
import type { KindParts } from './schedules/kinds.ts';
import type { ControllerSettings } from './settings.ts';
import type { Store } from './store/store.ts';
import { Cancellation } from './tasks/cancel.ts';
import { Dispatcher } from './tasks/dispatcher.ts';
import { EventStream } from './tasks/events.ts';
import { GroupCommit } from './tasks/group-commit.ts';
import { Inbox } from './tasks/inbox.ts';
import { failDeviceTasks } from './tasks/moves.ts';
import { Retries } from './tasks/retries.ts';
import { retryRun } from './tasks/retry-run.ts';
import { Retention } from './tasks/retention.ts';
import { Submissions } from './tasks/submissions.ts';
import type { Submission, Submitted } from './tasks/submit.ts';
import { Sessions } from './tunnel/sessions.ts';

export type { ControllerIdentity } from './devices/identity.ts';
export { type ControllerSettings, defaultSettings } from './settings.ts';

export interface ControllerParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  random: Random;
  log: Logger;
  identity: ControllerIdentity;
  settings: ControllerSettings;
  /** Called from time to time, to remove what nobody needs. */
  houseKeep?: (signal: AbortSignal) => Promise<void>;
  /** Run as long as the loops of the core do. */
  loops?: { run(signal: AbortSignal): Promise<void> }[];
  /** Renders and submits a SYNC for a schedule. */
  sync?: KindParts['sync'];
  /** What a schedule may have installed. */
  releases?: KindParts['releases'];
  /** The identity provider by which people may log in. */
  oidc?: OidcSettings | undefined;
  /** What answers the prompts of agent tasks, and what it may look at; without it there are none. */
  assistant?: AssistantSources | undefined;
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
  readonly deviceKeys: DeviceKeys;
  readonly tokens: Tokens;
  readonly access: Access;
  readonly events: EventStream;
  readonly sessions: Sessions;
  readonly schedules: Schedules;
  readonly agentTasks: AgentTasks;
  readonly questions: Questions;
  /** Starts all loops; settles when aborted, and touches the store no more after that. */
  run(signal: AbortSignal): Promise<void>;
  /** Takes over a socket of an admitted device. */
  openLink(device: AdmittedDevice, socket: FrameSocket): void;
  /** Creates a run with its tasks: all or nothing. Throws 400 and 422 errors that name the field or the targets. */
  submit(submission: Submission): Promise<Submitted>;
  cancelTask: Cancellation['cancelTask'];
  cancelRun: Cancellation['cancelRun'];
  /** Makes a new run over the devices of another that did not do it. */
  retryRun(
    who: Parameters<typeof retryRun>[1],
    what: Parameters<typeof retryRun>[2],
  ): ReturnType<typeof retryRun>;
  status(): CoreStatus;
}

/** Puts the controller's logic together. Everything it does on its own happens in `run`. */
export function createControllerCore(parts: ControllerParts): ControllerCore {
  const { bus, identity, store } = parts;
  const built = assemble(parts);
  let running = false;

  return {
    identity,
    admission: built.admission,
    devices: built.devices,
    deviceKeys: built.deviceKeys,
    tokens: built.tokens,
    access: built.access,
    events: built.events,
    sessions: built.sessions,
    schedules: built.schedules,
    agentTasks: built.agentTasks,
    questions: built.questions,
    async run(signal) {
      const unsubscribe = [
        bus.subscribe('cancel', ({ tasks }) => built.inbox.cancels(tasks)),
        bus.subscribe('close', ({ deviceIds, code, reason }) =>
          built.links.closeDevices(deviceIds, code, reason),
        ),
      ];
      running = true;
      try {
        const loops = [
          built.commits,
          built.dispatcher,
          built.links,
          built.retention,
          built.presence,
          built.sessions,
          built.scheduler,
          built.retries,
          ...(parts.loops ?? []),
          built.questions,
          ...(built.assistant ? [built.assistant] : []),
        ];
        await runTogether(
          loops.map((loop) => (inner: AbortSignal) => loop.run(inner)),
          signal,
        );
      } finally {
        running = false;
        for (const stop of unsubscribe) stop();
      }
    },
    openLink: (device, socket) => built.links.open(device, socket),
    submit: (submission) => built.submissions.submit(submission),
    cancelTask: (actor, code, options) => built.cancellation.cancelTask(actor, code, options),
    retryRun: (who, what) => {
      const submit = (one: Submission) => built.submissions.submit(one);
      return retryRun({ store, submit, ...(parts.sync && { sync: parts.sync }) }, who, what);
    },
    cancelRun: (actor, runId, options) => built.cancellation.cancelRun(actor, runId, options),
    status: () => ({
      ready: running && !built.commits.lastCommitFailed,
      linksOpen: built.links.size,
      devicesOnline: built.online.size,
      offersSent: built.dispatcher.offersSent,
      reportsApplied: built.commits.reportsApplied,
      commits: built.commits.commits,
      commitFailures: built.commits.commitFailures,
      eventSubscribers: built.events.subscribers,
      linksRefused: built.admission.refused,
    }),
  };
}

/** The parts, in the order in which they need each other. */
function assemble(parts: ControllerParts) {
  const { store, bus, clock, random, log, identity, settings } = parts;
  const online = new OnlineDevices(clock);
  const inbox = new Inbox();
  const links = new Links({ inbox, online, clock, settings, log: log.child({ part: 'link' }) });
  const dispatcher = new Dispatcher({
    store,
    bus,
    online,
    clock,
    settings,
    keys: identity.keys,
    log: log.child({ part: 'dispatcher' }),
  });
  const retries = new Retries({ store, bus, clock, random, settings, log: log.child({ part: 'retries' }) });
  const commits = new GroupCommit({
    store,
    bus,
    inbox,
    online,
    clock,
    random,
    settings,
    keyChanges: identity.keyChanges ?? [],
    log: log.child({ part: 'commit' }),
    advanced: (deviceIds, runIds) => {
      dispatcher.wake(deviceIds);
      dispatcher.runsAdvanced(runIds);
      retries.runsAdvanced(runIds);
    },
  });
  const devices = new DeviceRegistry({
    store,
    bus,
    clock,
    random,
    identity,
    online,
    failTasks: (tables, deviceId) => failDeviceTasks(tables, deviceId, clock.now()),
    tasksEnded: (moves) => dispatcher.runsAdvanced(moves.flatMap(({ runId }) => runId ?? [])),
  });
  const lookouts = assembleLookouts(parts, online);
  const requests = assembleRequests(parts);
  const assistant =
    parts.assistant &&
    createAssistant(parts.assistant, {
      store,
      bus,
      clock,
      settings,
      online,
      questions: lookouts.questions,
      kinds: requests.scheduling,
      submit: (submission) => requests.submissions.submit(submission),
      log: log.child({ part: 'assistant' }),
    });
  return {
    ...requests,
    ...lookouts,
    ...assembleAccess(parts),
    ...assembleAdmission(parts),
    assistant,
    commits,
    devices,
    dispatcher,
    inbox,
    links,
    online,
    retries,
  };
}

/** What looks at the store from time to time: for readers, for deadlines of questions, for what is old. */
function assembleLookouts(parts: ControllerParts, online: OnlineDevices) {
  const { store, bus, clock, random, log, settings, houseKeep } = parts;
  const events = new EventStream({ events: store.events, bus, clock });
  const retention = new Retention({
    store,
    clock,
    settings,
    houseKeep,
    log: log.child({ part: 'retention' }),
  });
  const questions = new Questions({
    store,
    bus,
    clock,
    random,
    online,
    log: log.child({ part: 'questions' }),
  });
  const presence = new Presence({ devices: store.devices, online, clock, log });
  return { events, presence, questions, retention };
}

/** Which devices may open a link, and by which keys. */
function assembleAdmission({ store, bus, clock, random, identity, settings }: ControllerParts) {
  const { controllerId } = identity;
  const keys = new DeviceKeys({ store, bus, clock, controllerId });
  const { devices } = store;
  return {
    deviceKeys: keys,
    admission: new Admission({ devices, keys, clock, random, settings, controllerId }),
  };
}

/** Which people may come in. */
function assembleAccess({ store, clock, random, log, identity, settings, oidc }: ControllerParts) {
  const { publicUrl } = settings;
  const tokens = new Tokens({
    store,
    clock,
    random,
    publicUrl,
    controllerKey: identity.keys.publicKey,
  });
  const access = createAccess({
    store,
    clock,
    random,
    identity,
    tokens,
    publicUrl,
    oidc,
    log: log.child({ part: 'access' }),
  });
  return { access, tokens };
}

/** What makes tasks, and ends them at a wish. */
function assembleRequests(parts: ControllerParts) {
  const { store, bus, clock, random, log, settings } = parts;
  const cancellation = new Cancellation({ store, bus, clock });
  const submissions = new Submissions({ store, bus, clock, random });
  const sessions = new Sessions({
    store,
    bus,
    clock,
    random,
    log: log.child({ part: 'session' }),
    submit: (submission) => submissions.submit(submission),
    cancelTask: (actor, code, options) => cancellation.cancelTask(actor, code, options),
    maxSessions: settings.maxSessions,
  });
  const agentTasks = new AgentTasks({ bus, clock, hasModel: parts.assistant !== undefined });
  const scheduling = {
    store,
    bus,
    clock,
    random,
    settings,
    log: log.child({ part: 'schedules' }),
    submit: (submission: Submission) => submissions.submit(submission),
    ...(parts.sync && { sync: parts.sync }),
    ...(parts.releases && { releases: parts.releases }),
    agentTasks,
  };
  const schedules = new Schedules(scheduling);
  const scheduler = new Scheduler(scheduling);
  return { agentTasks, cancellation, scheduler, schedules, scheduling, sessions, submissions };
}

/** Runs loops until the signal is aborted or one of them fails, which ends the others; waits for all of them. */
async function runTogether(
  loops: ((signal: AbortSignal) => Promise<void>)[],
  signal: AbortSignal,
): Promise<void> {
  const failed = new AbortController();
  const inner = AbortSignal.any([signal, failed.signal]);
  const outcomes = await Promise.allSettled(
    loops.map((loop) =>
      loop(inner).catch((error: unknown) => {
        failed.abort();
        throw error;
      }),
    ),
  );
  const errors: unknown[] = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason] : [],
  );
  if (errors.length > 0) throw new AggregateError(errors, 'a loop of the controller failed');
}
