import { z } from 'zod';
import { TaskCode } from '../ids.ts';

/** What the controller signs: the exact text of this object travels in `task.offer.order`. */
export const TaskOrder = z.object({
  /** Device id the order is for. */
  device: z.string(),
  code: TaskCode,
  attempt: z.int().min(1),
  taskType: z.string().max(64),
  parameters: z.record(z.string(), z.unknown()),
  /** Bound on execution, milliseconds from the start. */
  timeoutMs: z.int().min(1),
  /** Runs beside other lanes although its type wants an idle device. */
  force: z.boolean(),
  /** By the controller's clock; after it the order must not be accepted. */
  expiresAt: z.number().int(),
  /** Increases with every order of this controller; a number not above the last accepted one is a replay. */
  sequence: z.int().min(1),
});
export type TaskOrder = z.output<typeof TaskOrder>;

/** Down, only while the lane has a free slot; answered by the report `task.accepted`, or by `task.refused`. */
export const TaskOffer = z.object({
  type: z.literal('task.offer'),
  code: TaskCode,
  /** JSON text of a `TaskOrder`. */
  order: z.string(),
  /** Ed25519 over the bytes of `order`, base64url. */
  signature: z.string(),
});
export type TaskOffer = z.output<typeof TaskOffer>;

/** Refusals that leave the task PENDING: the device may take it later. */
export const passingRefusals = ['busy', 'disk_full', 'draining', 'expired'] as const;
/**
 * Refusals that fail the task: the device will never take it. Any other reason counts as one of them.
 *
 * @public
 */
export const lastingRefusals = [
  'policy',
  'bad_parameters',
  'unknown_type',
  'bad_signature',
  'wrong_device',
  'replayed',
] as const;

/** Up, answers `task.offer`; not stored by the device. An unknown code counts as lasting. */
export const TaskRefused = z.object({
  type: z.literal('task.refused'),
  code: TaskCode,
  reason: z.string().max(64),
  message: z.string().max(4096),
});
export type TaskRefused = z.output<typeof TaskRefused>;

/** Down, after PENDING → IN_PROGRESS is committed; answered by the report `task.result`, in the end. */
export const TaskStart = z.object({ type: z.literal('task.start'), codes: z.array(TaskCode).max(4096) });
export type TaskStart = z.output<typeof TaskStart>;

/** Down, for an accepted task that must not start any more (cancelled, expired); not answered. */
export const TaskForget = z.object({ type: z.literal('task.forget'), codes: z.array(TaskCode).max(4096) });
export type TaskForget = z.output<typeof TaskForget>;

/**
 * Down: what a person answered, or null when nobody did in time. Sent until the report `task.question_closed` says what the device
 * took; one that it took before, or does not know, is ignored. Since version 2.
 */
export const QuestionAnswer = z.object({
  type: z.literal('question.answer'),
  code: TaskCode,
  question: z.uuid(),
  answer: z.string().max(256).nullable(),
});
export type QuestionAnswer = z.output<typeof QuestionAnswer>;

/** Down, asks to stop a running task; answered by the report `task.cancelled` or the natural result. */
export const TaskCancel = z.object({ type: z.literal('task.cancel'), code: TaskCode });
export type TaskCancel = z.output<typeof TaskCancel>;
