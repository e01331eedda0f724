import type { Instant } from '../../shared/clock.ts';
import { maxQuestionsOfTask } from '../../shared/question.ts';
import type { DeviceQuestion } from '../store/questions.ts';
import type { StoreTables } from '../store/store.ts';
import type { Changes } from './changes.ts';
import { taskKey } from './moves.ts';
import { questionEvent } from './question-events.ts';
import type { SortedReports } from './sort-reports.ts';

/**
 * Writes down what tasks ask and what their devices went on with. A device decides its own deadline: what it took is told beside what
 * a person answered, never instead of it.
 */
export async function applyQuestions(
  tables: StoreTables,
  { asked, taken }: Pick<SortedReports, 'asked' | 'taken'>,
  changes: Changes,
  now: Instant,
): Promise<void> {
  if (asked.length > 0) {
    // No later than the device itself means it, whatever the device's clock says.
    const bounded = bound(asked).map(({ deadlineMs, expiresAt, ...question }) => ({
      ...question,
      expiresAt: Math.max(now, Math.min(expiresAt, now + deadlineMs)),
    }));
    const made = await tables.questions.ask(bounded, now);
    changes.events.push(...made.map((move) => questionEvent(move, now)));
  }
  if (taken.length > 0) {
    const { closed, taken: moves } = await tables.questions.take(taken);
    changes.events.push(...closed.map((move) => questionEvent(move, now)));
    const told = new Map(taken.map((one) => [one.id, one]));
    for (const move of moves) {
      const { reason, answer } = told.get(move.id) ?? {};
      changes.events.push(
        questionEvent(move, now, {
          type: 'question.taken',
          data: { taken_reason: reason ?? null, taken_answer: answer ?? null },
        }),
      );
    }
  }
}

/** A device that asks without end is not listened to: no more in one commit than a task may ask at all. */
function bound<Asked extends Pick<DeviceQuestion, 'deviceId' | 'code'>>(asked: Asked[]): Asked[] {
  const counts = new Map<string, number>();
  return asked.filter((question) => {
    const count = (counts.get(taskKey(question)) ?? 0) + 1;
    counts.set(taskKey(question), count);
    return count <= maxQuestionsOfTask;
  });
}
