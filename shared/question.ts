import { z } from 'zod';

export const maxOptions = 16;
/** Of one task, while it lives. */
export const maxQuestionsOfTask = 16;
export const defaultDeadlineMs = 600_000;
const maxDeadlineMs = 7 * 24 * 3_600_000;

const Option = z.string().min(1).max(256);

/** What is asked: people answer with one of the options; `safe` is what is done when nobody does. */
export const AskedQuestion = z
  .object({
    prompt: z.string().min(1).max(1024),
    options: z.array(Option).min(2).max(maxOptions),
    safe: Option.nullable(),
    deadlineMs: z.int().min(1).max(maxDeadlineMs),
  })
  .refine(({ options }) => new Set(options).size === options.length, {
    path: ['options'],
    message: 'expected options that differ from each other',
  })
  .refine(({ options, safe }) => safe === null || options.includes(safe), {
    path: ['safe'],
    message: 'expected one of the options',
  });
export type AskedQuestion = z.output<typeof AskedQuestion>;

/** A question of the controller itself may be longer: it shows in full what shall be done. */
export const maxRunPrompt = 8_192;
export const AskedByRun = AskedQuestion.safeExtend({ prompt: z.string().min(1).max(maxRunPrompt) });

/** pending: waits for a person. answered: by a person. expired: nobody answered in time. withdrawn: it is of no use any more. */
export const questionStates = ['pending', 'answered', 'expired', 'withdrawn'] as const;
export const QuestionState = z.enum(questionStates);
export type QuestionState = z.output<typeof QuestionState>;

/** Why whoever asked went on: a person answered, nobody did in time, or it does not matter any more. */
export const TakenReason = z.enum(['person', 'deadline', 'withdrawn']);
export type TakenReason = z.output<typeof TakenReason>;
