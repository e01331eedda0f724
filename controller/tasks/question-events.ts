import type { EventType } from '../../shared/api/events.ts';
import type { Instant } from '../../shared/clock.ts';
import type { QuestionState } from '../../shared/question.ts';
import type { NewEvent } from '../store/events.ts';
import type { QuestionMove } from '../store/questions.ts';

const eventOfState: Record<QuestionState, EventType> = {
  pending: 'question.asked',
  answered: 'question.answered',
  expired: 'question.expired',
  withdrawn: 'question.withdrawn',
};

/** The event that tells what became of a question; the type follows its state unless said otherwise. */
export const questionEvent = (
  { id, organizationId, deviceId, taskId, runId, state, prompt, answer }: QuestionMove,
  at: Instant,
  more: { type?: EventType; data?: Record<string, unknown> } = {},
): NewEvent => ({
  type: more.type ?? eventOfState[state],
  at,
  organizationId,
  deviceId,
  taskId,
  runId,
  data: { question: id, state, prompt, ...(answer === null ? {} : { answer }), ...more.data },
});
