import type { Question, WaitingQuestion } from '../../shared/api/questions.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { QuestionRow } from '../store/questions.ts';
import { shownOrNull } from './show-time.ts';

/** A question as the API shows it. */
export const showQuestion = (row: QuestionRow): Question => ({
  ...showWaiting(row),
  organization: row.organizationName,
  run: row.runId,
  task: row.taskCode,
  device_name: row.deviceName,
  state: row.state,
  answer: row.answer,
  answered_by: row.answeredBy,
  answered_at: shownOrNull(row.answeredAt),
  taken_answer: row.takenAnswer,
  taken_reason: row.takenReason,
  taken_at: shownOrNull(row.takenAt),
});

export const showWaiting = (row: QuestionRow): WaitingQuestion => ({
  id: row.id,
  prompt: row.prompt,
  options: row.options,
  safe: row.safe,
  asked_at: rfc3339(row.askedAt),
  expires_at: rfc3339(row.expiresAt),
});
