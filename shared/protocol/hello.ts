import { z } from 'zod';
import { TaskCode } from '../ids.ts';
import type { Lane } from '../task-types/task-type.ts';
import { KeyChanges } from './key-change.ts';

const instant = z.number().int();
const slot = z.int().min(0).max(1024).exactOptional();
/** Lanes of a newer agent are left out, as all that is not known. */
const slots = z.object({ exclusive: slot, script: slot, read: slot, connect: slot } satisfies Record<
  Lane,
  unknown
>);

/** How far the device is with a task it holds. `finished`: the result is on disk and waits to be delivered or was delivered. */
export const HeldState = z.enum(['accepted', 'running', 'finished']);
export type HeldState = z.output<typeof HeldState>;

/** Up, first frame of a link; answered by `welcome` or a close. */
export const Hello = z.object({
  type: z.literal('hello'),
  protocol: z.object({ min: z.int(), max: z.int() }),
  agentVersion: z.string().max(64),
  /** The kernel's boot id; differs after every boot. */
  bootId: z.string().min(1).max(64),
  /** New for every agent process. */
  instanceId: z.string().min(1).max(64),
  /** +1 per agent start, stored in the local database. */
  epoch: z.int().min(1),
  /** +1 per link within one process; with `epoch` it orders the links of a device. */
  connection: z.int().min(1),
  /** New when the local database is new. */
  storeId: z.string().min(1).max(64),
  /** Task types this agent can run, after its own policy. */
  taskTypes: z.array(z.string().max(64)).max(256),
  /** Slots per lane, occupied or not. */
  slots,
  /** Every task the device holds that is not `finished` and delivered. */
  tasks: z.array(z.object({ code: TaskCode, attempt: z.int().min(1), state: HeldState })).max(4096),
  /** Highest seq ever written to the outbox. */
  lastSeq: z.int().min(0),
  clock: instant,
  /** SHA-256 of the facts, hex. */
  factsDigest: z.string().max(64),
  /** Fingerprint of the newest controller key that the device trusts, and until when it trusts the one before. Since version 3. */
  controllerKey: z.string().max(64).exactOptional(),
  oldControllerKeyUntil: instant.exactOptional(),
});
export type Hello = z.output<typeof Hello>;

/** What the device does with a task it holds: `start` it, `forget` it (only when it did not start), `cancel` it, or `keep` on. */
export const HeldVerdict = z.enum(['start', 'forget', 'cancel', 'keep']);
export type HeldVerdict = z.output<typeof HeldVerdict>;

/** Down, answers `hello`. */
export const Welcome = z.object({
  type: z.literal('welcome'),
  protocol: z.int(),
  session: z.string(),
  clock: instant,
  heartbeatMs: z.int().min(1),
  /** Every outbox row up to this seq is committed and may be deleted. */
  ackedSeq: z.int().min(0),
  tasks: z.array(z.object({ code: TaskCode, verdict: HeldVerdict })),
  /** The controller does not have the facts of this digest. */
  factsWanted: z.boolean(),
  /** Changes of the controller's key that the device does not know, oldest first. Since version 3. */
  keyChanges: KeyChanges.exactOptional(),
  /** The device is to make a new key, and to show it (`deviceKeyPath`). Since version 3. */
  rotateKey: z.boolean().exactOptional(),
  /** When the link is lost, waits between dials stay below this for the first minutes. Since version 4. */
  reconnectWithinMs: z.int().min(1).exactOptional(),
});
export type Welcome = z.output<typeof Welcome>;

/** Up, when `welcome` wants it or facts changed; not answered. */
export const FactsReport = z.object({
  type: z.literal('facts.report'),
  digest: z.string().max(64),
  facts: z.record(z.string(), z.unknown()),
});
export type FactsReport = z.output<typeof FactsReport>;

/** Either way, about a frame that was not understood; not answered, not fatal. */
export const ProtocolError = z.object({
  type: z.literal('error'),
  code: z.string().max(64),
  message: z.string().max(4096),
  retryAfterMs: z.int().min(0).optional(),
});
export type ProtocolError = z.output<typeof ProtocolError>;
