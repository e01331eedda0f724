import { z } from 'zod';
import { KeyChanges } from '../../shared/protocol/key-change.ts';
import { LogStream } from '../../shared/protocol/report.ts';

/** A longer message closes the connection. Bytes of UTF-8; an order carries at most a script of 256 KiB, escaped. */
export const maxMessageBytes = 2 * 1024 * 1024;

const failure = { code: z.string().max(64), message: z.string().max(16_384) };

/** What a process that finds a task running from before knows about it. */
const Interrupted = z.object({
  bootId: z.string(),
  instanceId: z.string(),
  currentBootId: z.string(),
  startedAt: z.number(),
});

/** From the agent, which is not trusted: the helper obeys the signed order in it and nothing else. */
export const HelperRequest = z.discriminatedUnion('type', [
  /** First of a connection: what can you do? Answered by `described`. */
  z.object({ type: z.literal('describe') }),
  /** First of a connection: runs the task of an order, or picks it up where it was `interrupted`. Answered by `end`. */
  z.object({
    type: z.literal('run'),
    order: z.string(),
    signature: z.string().max(256),
    /** Of the agent process that asks. */
    instanceId: z.string().max(64),
    /** What the controller's clock shows, as far as the agent knows; tokens are made by it, nothing is decided by it. */
    controllerTime: z.number().int(),
    /** How the key of the controller changed, as far as the agent was told; the helper verifies it by the key it knows. */
    keyChanges: KeyChanges.optional(),
    interrupted: Interrupted.optional(),
  }),
  /** First of a connection: signs requests to the controller with this key (PEM) from now on. It decides nothing here: orders are the controller's. Answered by `taken`. */
  z.object({ type: z.literal('device_key'), key: z.string().max(1024) }),
  /** Tells the running task to stop. */
  z.object({ type: z.literal('stop'), ...failure }),
  /** Answers a `call`. */
  z.object({ type: z.literal('returned'), id: z.int(), value: z.unknown().optional() }),
  z.object({ type: z.literal('threw'), id: z.int(), ...failure }),
]);
export type HelperRequest = z.output<typeof HelperRequest>;

/** How a task ended there. */
export const HelperOutcome = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('completed'), result: z.unknown() }),
  z.object({ kind: z.literal('rerun') }),
  z.object({
    kind: z.literal('failed'),
    ...failure,
    result: z.record(z.string(), z.unknown()).optional(),
  }),
]);
export type HelperOutcome = z.output<typeof HelperOutcome>;

/** From the root helper. */
export const HelperAnswer = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('described'),
    taskTypes: z.array(z.string()),
    facts: z.record(z.string(), z.unknown()),
  }),
  /** Fingerprint of the device's key that is used from now on. */
  z.object({ type: z.literal('taken'), fingerprint: z.string() }),
  z.object({ type: z.literal('output'), stream: LogStream, text: z.string() }),
  z.object({
    type: z.literal('progress'),
    percent: z.number().optional(),
    message: z.string().optional(),
  }),
  /** Asks the agent to do something that only it can; answered by `returned` or `threw`. */
  z.object({
    type: z.literal('call'),
    id: z.int(),
    name: z.enum(['reportPhase', 'ask', 'probe']),
    argument: z.record(z.string(), z.unknown()),
  }),
  /** The question of a `call` is asked no more. */
  z.object({ type: z.literal('withdraw'), id: z.int() }),
  z.object({ type: z.literal('end'), outcome: HelperOutcome }),
]);
export type HelperAnswer = z.output<typeof HelperAnswer>;
