import type { PendingTaskQuestions } from '../../../shared/api/task-runs-view.ts';
import { rfc3339 } from '../../../shared/time.ts';
import type { QuestionRow } from '../../store/questions.ts';
import type { Call } from '../route.ts';
import { taskNameOf } from './task-names.ts';

/** Of a task, which is a run of the view; or of a run that the controller itself works on. */
export async function pendingQuestions({
  parts,
  principal,
}: Call<unknown, unknown, unknown>): Promise<PendingTaskQuestions> {
  const organizationId = principal.organization.id;
  const rows = await parts.core.questions.pending(organizationId);
  const runIds = [...new Set(rows.flatMap(({ runId }) => runId ?? []))];
  const runs = await parts.store.runs.getMany(organizationId, runIds);
  const names = new Map(runs.map(({ id, type }) => [id, taskNameOf(type)]));
  return rows.map((row) => showQuestion(row, names.get(row.runId ?? '') ?? unknownName));
}

/** Of a task without a run: only what was made in another way than through the API has none. */
const unknownName = 'device.task';

const showQuestion = (row: QuestionRow, taskName: string): PendingTaskQuestions[number] => ({
  id: row.id,
  runId: row.taskId ?? row.runId ?? '',
  taskName,
  prompt: row.prompt,
  options: row.options,
  createdAt: rfc3339(row.askedAt),
  expiresAt: rfc3339(row.expiresAt),
});
