import type { Question, WaitingQuestion } from '../../shared/api/questions.ts';
import type { View } from '../output/view.ts';

/** A state, and beside it what the device really did when that is something else. */
export function answerText({ state, answer, taken_answer, taken_at }: Question): string {
  const told = answer === null ? state : `${state}: ${answer}`;
  return taken_at === null || taken_answer === answer
    ? told
    : `${told}; device took ${taken_answer ?? 'none'}`;
}

export const optionsText = ({ options, safe }: Pick<WaitingQuestion, 'options' | 'safe'>): string =>
  options.map((option) => (option === safe ? `${option} (when nobody answers)` : option)).join(', ');

/** Quoted, so that it can be pasted. */
export const answerHint = ({ id, options }: Pick<WaitingQuestion, 'id' | 'options'>): string =>
  `muster question answer ${id} ${options.map(shellWord).join('|')}`;

const shellWord = (word: string): string =>
  /^[\w.,:/@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

export const questionView: View<Question> = {
  noun: 'questions',
  key: ({ id }) => id,
  columns: [
    { head: 'QUESTION', value: ({ id }) => id },
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    { head: 'TASK', value: ({ task }) => task },
    { head: 'ASKED', value: ({ asked_at }, paint) => paint.time(asked_at) },
    { head: 'UNTIL', value: ({ expires_at }, paint) => paint.time(expires_at) },
    { head: 'STATE', value: answerText },
    { head: 'OPTIONS', value: ({ options }) => options.join(', ') },
    { head: 'PROMPT', value: ({ prompt }) => prompt },
  ],
  fields: (question, paint) => [
    ['Question', question.id],
    ['Prompt', question.prompt],
    ['Options', optionsText(question)],
    ['State', question.state],
    ['Asked', paint.time(question.asked_at)],
    ['Until', paint.time(question.expires_at)],
    ['Answer', question.answer],
    ['Answered by', question.answered_by],
    ['Answered', paint.time(question.answered_at)],
    ['Device took', question.taken_at === null ? '' : (question.taken_answer ?? 'nothing')],
    ['Because of', question.taken_reason],
    ['Taken', paint.time(question.taken_at)],
    ['Device', question.device_name],
    ['Task', question.task],
    ['Run', question.run],
    ['Organization', question.organization],
    ['Answer with', question.state === 'pending' ? answerHint(question) : ''],
  ],
};
