import { z } from 'zod';
import { Timestamp } from './common.ts';

/** pending: waits for its device, or for its time. canceled: before it ran, or because a person asked. */
export const TaskRunState = z.enum(['pending', 'running', 'completed', 'failed', 'canceled']);
export type TaskRunState = z.output<typeof TaskRunState>;

const brief = {
  id: z.string(),
  taskName: z.string().describe('area.verb, such as config.backup'),
  state: TaskRunState,
  createdAt: Timestamp,
};

/** GET /api/task/runs/recent: the newest hundred, newest first. */
export const RecentTaskRuns = z.array(z.object(brief));
export type RecentTaskRuns = z.output<typeof RecentTaskRuns>;

/** GET /api/task/run/{run} */
export const TaskRun = z.object({
  ...brief,
  nodeId: z.string().nullable().describe('id of the device; null of an agent task'),
  nodeHostname: z.string().nullable(),
  startedAt: Timestamp.nullable(),
  completedAt: Timestamp.nullable(),
  error: z.string().nullable(),
});
export type TaskRun = z.output<typeof TaskRun>;

const levels = ['debug', 'info', 'warn', 'error'] as const;
export const LogLevel = z.enum(levels);
export type LogLevel = z.output<typeof LogLevel>;

/** GET /api/task/run/{run}/logs */
export const TaskRunLogQuery = z.strictObject({
  after: z.coerce.number().int().min(0).default(0).describe('cursor of the last line already read'),
  limit: z.coerce.number().int().min(1).max(1000).default(500),
  levels: z
    .string()
    .regex(
      /^(debug|info|warn|error)(,(debug|info|warn|error))*$/,
      `expected ${levels.join(', ')}, with commas`,
    )
    .optional()
    .describe('only these, with commas between them'),
});
export const TaskRunLog = z.array(
  z.object({
    timestamp: Timestamp,
    level: LogLevel,
    message: z.string(),
    cursor: z.int().describe('pass as `after` to read on'),
  }),
);
export type TaskRunLog = z.output<typeof TaskRunLog>;

/** POST /api/task/run/{run}/cancel. What runs already is asked to stop: `state` says whether it has. */
export const CancelTaskRunAnswer = z.object({ status: z.literal('canceled'), state: TaskRunState });

/** GET /api/task/questions/pending */
export const PendingTaskQuestions = z.array(
  z.object({
    id: z.string(),
    runId: z.string().describe('as in /api/task/run/{run}'),
    taskName: z.string(),
    prompt: z.string(),
    options: z.array(z.string()),
    createdAt: Timestamp,
    expiresAt: Timestamp,
  }),
);
export type PendingTaskQuestions = z.output<typeof PendingTaskQuestions>;

/** POST /api/task/question/{question}/answer */
export const AnswerTaskQuestion = z.strictObject({
  answer: z.string().max(256).describe('one of the options'),
});
export const AnswerTaskQuestionAnswer = z.object({ status: z.literal('answered') });
