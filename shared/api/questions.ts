import { z } from 'zod';
import { QuestionState, TakenReason } from '../question.ts';
import { PageQuery, Timestamp, listOf } from './common.ts';

/** Something a running task asks a person. */
export const Question = z.object({
  id: z.string(),
  organization: z.string(),
  run: z.string().nullable(),
  task: z.string().nullable().describe('code of the task that asks; null when the run itself asks'),
  device_name: z.string().nullable(),
  prompt: z.string(),
  options: z.array(z.string()),
  safe: z.string().nullable().describe('taken when nobody answers in time; null: the task fails then'),
  state: QuestionState,
  asked_at: Timestamp,
  expires_at: Timestamp,
  answer: z.string().nullable().describe('of the person'),
  answered_by: z.string().nullable(),
  answered_at: Timestamp.nullable(),
  taken_answer: z
    .string()
    .nullable()
    .describe('what the device went on with, which is not the answer when that came too late for it'),
  taken_reason: TakenReason.nullable(),
  taken_at: Timestamp.nullable().describe('null: the device has not said yet'),
});
export type Question = z.output<typeof Question>;
/** What a task waits for, beside the task. */
export const WaitingQuestion = Question.pick({
  id: true,
  prompt: true,
  options: true,
  safe: true,
  asked_at: true,
  expires_at: true,
});
export type WaitingQuestion = z.output<typeof WaitingQuestion>;
export const QuestionList = listOf(Question);
export type QuestionList = z.output<typeof QuestionList>;

/** GET /api/v1/organizations/{organization}/questions, newest first; one: …/questions/{id} */
export const QuestionQuery = z.strictObject({
  state: QuestionState.optional(),
  task: z.string().max(64).optional().describe('code of a task'),
  run: z.uuid().optional(),
  ...PageQuery,
});
export type QuestionQuery = z.output<typeof QuestionQuery>;

/** POST /api/v1/organizations/{organization}/questions/{id}/answer: 400 not an option, 409 not pending any more. */
export const AnswerQuestion = z.strictObject({ answer: z.string().max(256).describe('one of the options') });
export type AnswerQuestion = z.output<typeof AnswerQuestion>;
