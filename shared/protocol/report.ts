import { z } from 'zod';
import { TaskCode } from '../ids.ts';
import { AskedQuestion, TakenReason } from '../question.ts';

const instant = z.number().int();
/** One row of the agent's outbox: `seq` increases by one per row, for the life of the local database. */
const row = { seq: z.int().min(1), code: TaskCode, at: instant };

/** The task is on the device's disk; it waits for `task.start`. */
export const TaskAccepted = z.object({ type: z.literal('task.accepted'), ...row, attempt: z.int().min(1) });
export type TaskAccepted = z.output<typeof TaskAccepted>;

/** How far a task is. `phase` `powering_off` is the last word of a SHUTDOWN. */
export const TaskProgress = z.object({
  type: z.literal('task.progress'),
  ...row,
  attempt: z.int().min(1),
  percent: z.number().min(0).max(100).optional(),
  message: z.string().max(1024).optional(),
  phase: z.string().max(64).optional(),
});
export type TaskProgress = z.output<typeof TaskProgress>;

export const LogStream = z.enum(['stdout', 'stderr', 'agent']);
export type LogStream = z.output<typeof LogStream>;

/** One line of output. `line` counts from 1 per task, so that a gap is visible. */
export const TaskLog = z.object({
  type: z.literal('task.log'),
  ...row,
  line: z.int().min(1),
  stream: LogStream,
  text: z.string().max(16_384),
});
export type TaskLog = z.output<typeof TaskLog>;

/** Lines `from` to `to` were dropped on the device, for want of room. */
export const TaskGap = z.object({
  type: z.literal('task.gap'),
  ...row,
  from: z.int().min(1),
  to: z.int().min(1),
  reason: z.string().max(64),
});
export type TaskGap = z.output<typeof TaskGap>;

/** The task ended by itself. The first result wins; a later one is kept as evidence. */
export const TaskResult = z.object({
  type: z.literal('task.result'),
  ...row,
  attempt: z.int().min(1),
  outcome: z.enum(['COMPLETED', 'FAILED']),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.object({ code: z.string().max(64), message: z.string().max(16_384) }).optional(),
  startedAt: instant.optional(),
});
export type TaskResult = z.output<typeof TaskResult>;

/** The task was stopped because of `task.cancel`. */
export const TaskCancelled = z.object({ type: z.literal('task.cancelled'), ...row, attempt: z.int().min(1) });
export type TaskCancelled = z.output<typeof TaskCancelled>;

/**
 * The task asks a person. Answered by `question.answer`, unless the device's own deadline ends it before: then, or when it took the
 * answer, `task.question_closed` follows. Since version 2.
 */
export const TaskQuestion = z.object({
  type: z.literal('task.question'),
  ...row,
  question: z.uuid(),
  asked: AskedQuestion,
  /** By the controller's clock, as far as the device knows it. */
  expiresAt: instant,
});
export type TaskQuestion = z.output<typeof TaskQuestion>;

/** What the device went on with, and why; without `answer` there is none to go on with. Since version 2. */
export const TaskQuestionClosed = z.object({
  type: z.literal('task.question_closed'),
  ...row,
  question: z.uuid(),
  reason: TakenReason,
  answer: z.string().max(256).optional(),
});
export type TaskQuestionClosed = z.output<typeof TaskQuestionClosed>;

export const Report = z.discriminatedUnion('type', [
  TaskAccepted,
  TaskProgress,
  TaskLog,
  TaskGap,
  TaskResult,
  TaskCancelled,
  TaskQuestion,
  TaskQuestionClosed,
]);
export type Report = z.output<typeof Report>;

/** Up: rows of the outbox in order of seq; answered by `report.ack` after the controller's commit. */
export const ReportBatch = z.object({
  type: z.literal('report.batch'),
  reports: z.array(Report).min(1).max(1024),
});
export type ReportBatch = z.output<typeof ReportBatch>;

/** Down: every row up to `seq` is committed and may be deleted. */
export const ReportAck = z.object({ type: z.literal('report.ack'), seq: z.int().min(0) });
export type ReportAck = z.output<typeof ReportAck>;
