import { z } from 'zod';
import { orOfPlugin } from '../plugin.ts';
import { proposableTypeNames } from '../run-type.ts';
import { Timestamp } from './common.ts';

export const ProposableType = orOfPlugin(proposableTypeNames);

/** POST /api/v1/organizations/{organization}/agent-tasks. Honours `Idempotency-Key`. */
export const AgentTaskRequest = z.strictObject({
  prompt: z.string().trim().min(1).max(16_000).describe('what is to be found out or done, in plain words'),
  allow_task_types: z
    .array(ProposableType)
    .max(10)
    .default([])
    .describe('task types that run as soon as the model proposes them; all others wait for a person'),
  max_steps: z.int().min(1).max(100).default(25).describe('how often the model is asked at most'),
  max_tokens: z.int().min(1_000).max(2_000_000).default(200_000).describe('read and written, all steps'),
  timeout_seconds: z.int().min(10).max(3_600).default(3_600).describe('from the first step'),
});
export type AgentTaskRequest = z.output<typeof AgentTaskRequest>;

/**
 * running: the model is asked, or soon will be; waiting: for a person’s answer, or for tasks that were proposed and run;
 * completed: there is an answer; failed: `error_code` says why.
 */
export const AgentTaskStatus = z.enum(['running', 'waiting', 'completed', 'failed', 'cancelled']);
export type AgentTaskStatus = z.output<typeof AgentTaskStatus>;

/** How a prompt is worked on. */
export const AgentTask = z.object({
  status: AgentTaskStatus,
  prompt: z.string(),
  allow_task_types: z.array(z.string()),
  answer: z.string().nullable(),
  error_code: z.string().nullable(),
  error_message: z.string().nullable(),
  steps: z.int(),
  max_steps: z.int(),
  tokens_in: z.int().describe('read by the model, all steps'),
  tokens_out: z.int().describe('written by the model, all steps'),
  max_tokens: z.int(),
  started_at: Timestamp.nullable(),
  deadline: Timestamp.nullable().describe('null before the first step'),
  completed_at: Timestamp.nullable(),
  proposals: z
    .array(
      z.object({
        task_type: z.string(),
        status: z.enum(['waiting', 'approved', 'rejected', 'submitted', 'refused']),
        question: z.string().nullable(),
        run: z.string().nullable().describe('what was made of it'),
        decided_by: z.string().nullable(),
      }),
    )
    .describe('tasks that the model asked for, in order'),
});
export type AgentTask = z.output<typeof AgentTask>;

/** One message of the conversation with the model, as it was sent or came. */
export const TranscriptMessage = z.object({
  seq: z.int(),
  at: Timestamp,
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  text: z.string(),
  tool_calls: z
    .array(z.object({ id: z.string(), name: z.string(), arguments: z.string() }))
    .optional()
    .describe('what the model asked for'),
  tool_call_id: z.string().optional().describe('which of them this answers'),
});
export type TranscriptMessage = z.output<typeof TranscriptMessage>;

/** GET /api/v1/runs/{run}/transcript */
export const TranscriptQuery = z.strictObject({
  after: z.coerce.number().int().min(0).default(0).describe('seq of the last message already read'),
  limit: z.coerce.number().int().min(1).max(200).default(100),
});
export const TranscriptPage = z.object({
  items: z.array(TranscriptMessage),
  next: z.int().describe('seq to read on from'),
  complete: z.boolean().describe('the run has ended and this page reaches its last message'),
});
export type TranscriptPage = z.output<typeof TranscriptPage>;
