import type { AgentTask, TranscriptMessage } from '../../shared/api/assistant.ts';
import { rfc3339 } from '../../shared/time.ts';
import { fromStored } from '../assistant/messages.ts';
import type { AssistantRunRow, ProposalRow, StoredMessage } from '../store/assistant.ts';
import { shownOrNull } from './show-time.ts';

/** How a prompt is worked on, as the API shows it. */
export const showAgentTask = (row: AssistantRunRow, proposals: ProposalRow[]): AgentTask => ({
  status: row.status,
  prompt: row.prompt,
  allow_task_types: row.allowTaskTypes,
  answer: row.answer,
  error_code: row.errorCode,
  error_message: row.errorMessage,
  steps: row.steps,
  max_steps: row.maxSteps,
  tokens_in: row.tokensIn,
  tokens_out: row.tokensOut,
  max_tokens: row.maxTokens,
  started_at: shownOrNull(row.startedAt),
  deadline: shownOrNull(row.deadlineAt),
  completed_at: shownOrNull(row.completedAt),
  proposals: proposals.map(({ taskType, status, questionId, madeRun, decidedBy }) => ({
    task_type: taskType,
    status,
    question: questionId,
    run: madeRun,
    decided_by: decidedBy,
  })),
});

export function showMessage({ seq, at, ...stored }: StoredMessage): TranscriptMessage {
  const message = fromStored(stored);
  return {
    seq,
    at: rfc3339(at),
    role: message.role,
    text: message.text,
    ...(message.role === 'assistant' && message.toolCalls.length > 0 && { tool_calls: message.toolCalls }),
    ...(message.role === 'tool' && { tool_call_id: message.toolCallId }),
  };
}
