import type { Sqlite } from '../../shared/node/sqlite.ts';

interface QuestionRow {
  id: string;
  prompt: string;
  state: string;
  status: string | null;
  answer: string | null;
  takenAt: number | null;
  takenReason: string | null;
  takenAnswer: string | null;
  asked: number;
  printed: number;
}

/** What is not true of the questions once everything is at rest. */
export function questionProblems(controller: Sqlite): string[] {
  const rows = controller
    .prepare<[], QuestionRow>(
      `SELECT q.id, q.prompt, q.state, t.status, q.answer, q.taken_at AS takenAt, q.taken_reason AS takenReason,
         q.taken_answer AS takenAnswer,
         (SELECT count(*) FROM questions AS o WHERE o.task_id = q.task_id AND o.prompt = q.prompt) AS asked,
         (SELECT count(*) FROM task_logs AS l WHERE l.task_seq = t.seq
           AND (l.text = q.taken_answer OR l.stream = 'gap')) AS printed
       FROM questions AS q LEFT JOIN main.tasks AS t ON t.id = q.task_id`,
    )
    .all();
  return rows.flatMap((row) =>
    [...problemsOf(row)].map((problem) => `${row.prompt} (${row.state}) ${problem}`),
  );
}

function* problemsOf(row: QuestionRow): Generator<string> {
  const { state, status, answer, takenAt, takenReason, takenAnswer, asked, printed } = row;
  if (state === 'pending') yield 'is still pending';
  if (asked > 1) yield `was asked ${asked} times`;
  if ((state === 'answered') !== (answer !== null)) yield `has the answer ${answer}`;
  if (takenReason === 'person' && takenAnswer !== answer)
    yield `took ${takenAnswer}, the answer was ${answer}`;
  if (takenReason === 'deadline' && takenAnswer !== 'no') yield `took ${takenAnswer} at the deadline`;
  if (status !== 'COMPLETED') return;
  if (takenAt === null) yield 'is not known to be taken, although its task completed';
  else if (printed === 0 && takenAnswer !== null) yield `took ${takenAnswer}, which its script did not print`;
}
