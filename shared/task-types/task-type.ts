import type { z } from 'zod';

/** Where a task runs on the device: lanes are independent, each with its own number of slots. */
export const lanes = ['exclusive', 'script', 'read', 'connect'] as const;
export type Lane = (typeof lanes)[number];

/** Slots per lane an agent offers unless its configuration says less. */
export const defaultSlots: Record<Lane, number> = { exclusive: 1, script: 2, read: 4, connect: 16 };

const minutes = 60_000;
const hours = 60 * minutes;

/**
 * What is known of every task type before its parameters: lane, the two clocks (`expiresInMs` bounds waiting, `timeoutMs` bounds
 * execution), and what may be done with a task of it.
 *
 * - `canStop`: a cancel request can end it once it runs.
 * - `rerun`: after a crash in the middle the agent may run it again.
 * - `needsIdle`: handed out only when no other lane of the device works, and nothing is handed out beside it (unless forced).
 * - `disruptive`: people are asked before it is sent.
 */
export const taskTypes = {
  PING: {
    lane: 'read',
    expiresInMs: 10 * minutes,
    timeoutMs: 2 * minutes,
    canStop: true,
    rerun: true,
    needsIdle: false,
    disruptive: false,
  },
  HEALTH_CHECK: {
    lane: 'read',
    expiresInMs: 30 * minutes,
    timeoutMs: 5 * minutes,
    canStop: true,
    rerun: true,
    needsIdle: false,
    disruptive: false,
  },
  SCRIPT: {
    lane: 'script',
    expiresInMs: 24 * hours,
    timeoutMs: 1 * hours,
    canStop: true,
    rerun: false,
    needsIdle: false,
    disruptive: false,
  },
  REBOOT: {
    lane: 'exclusive',
    expiresInMs: 15 * minutes,
    timeoutMs: 15 * minutes,
    canStop: false,
    rerun: false,
    needsIdle: true,
    disruptive: true,
  },
  SHUTDOWN: {
    lane: 'exclusive',
    expiresInMs: 15 * minutes,
    timeoutMs: 15 * minutes,
    canStop: false,
    rerun: false,
    needsIdle: true,
    disruptive: true,
  },
  RESTART: {
    lane: 'exclusive',
    expiresInMs: 15 * minutes,
    timeoutMs: 15 * minutes,
    canStop: false,
    rerun: false,
    needsIdle: true,
    disruptive: true,
  },
  PLUGIN_INSTALL: {
    lane: 'exclusive',
    expiresInMs: 15 * minutes,
    timeoutMs: 15 * minutes,
    canStop: false,
    rerun: false,
    needsIdle: true,
    disruptive: true,
  },
  SYNC: {
    lane: 'exclusive',
    expiresInMs: 24 * hours,
    timeoutMs: 30 * minutes,
    canStop: true,
    rerun: false,
    needsIdle: false,
    disruptive: true,
  },
  PULL: {
    lane: 'read',
    expiresInMs: 30 * minutes,
    timeoutMs: 10 * minutes,
    canStop: true,
    rerun: true,
    needsIdle: false,
    disruptive: false,
  },
  BACKUP: {
    lane: 'read',
    expiresInMs: 24 * hours,
    timeoutMs: 2 * hours,
    canStop: true,
    rerun: true,
    needsIdle: false,
    disruptive: false,
  },
  CONNECT: {
    lane: 'connect',
    expiresInMs: 5 * minutes,
    timeoutMs: 8 * hours,
    canStop: true,
    rerun: false,
    needsIdle: false,
    disruptive: false,
  },
} as const satisfies Record<string, TaskTypeTraits>;

export type BuiltInTaskType = keyof typeof taskTypes;
/** `PLUGIN.TYPE`, of a plugin that is installed on the device. */
export type PluginTaskType = `${string}.${string}`;
export type TaskType = BuiltInTaskType | PluginTaskType;
export const taskTypeNames = Object.keys(taskTypes) as [BuiltInTaskType, ...BuiltInTaskType[]];

/** What holds for every task of a plugin; a plugin chooses its time-out itself, and whether a task may run again after a crash. */
const pluginTraits: TaskTypeTraits = {
  lane: 'script',
  expiresInMs: 24 * hours,
  timeoutMs: 10 * minutes,
  canStop: true,
  rerun: false,
  needsIdle: false,
  disruptive: false,
};

export const isBuiltIn = (type: string): type is BuiltInTaskType => Object.hasOwn(taskTypes, type);

export const isPluginTaskType = (text: string): text is PluginTaskType =>
  /^[A-Z][A-Z0-9_]{0,31}\.[A-Z][A-Z0-9_]{0,31}$/.test(text);

/** Traits of a task type, built in or of a plugin. */
export const traitsOf = (type: TaskType): TaskTypeTraits =>
  isBuiltIn(type) ? taskTypes[type] : pluginTraits;

/** Undefined for a type that only another version knows. */
export const knownTraits = (type: string): TaskTypeTraits | undefined =>
  isBuiltIn(type) || type.includes('.') ? traitsOf(type as TaskType) : undefined;

export interface TaskTypeTraits {
  lane: Lane;
  expiresInMs: number;
  timeoutMs: number;
  canStop: boolean;
  rerun: boolean;
  needsIdle: boolean;
  disruptive: boolean;
}

/** What both sides agree on about one task type: the handler of the same name fulfils it. Keys of parameters and result are snake_case, as in REST. */
export interface TaskContract<
  Parameters extends z.ZodType = z.ZodType,
  Result extends z.ZodType = z.ZodType,
> {
  name: TaskType;
  /** One sentence for help texts and OpenAPI. */
  summary: string;
  /** Made only by this part of the controller, which computes the parameters; a plain run request of the type is refused with the way to go. */
  madeBy?: 'sync' | 'pull' | 'backup' | 'connect' | 'release';
  parameters: Parameters;
  result: Result;
}

/** Gives a contract its exact types. */
export const taskContract = <Parameters extends z.ZodType, Result extends z.ZodType>(
  contract: TaskContract<Parameters, Result>,
): TaskContract<Parameters, Result> => contract;
