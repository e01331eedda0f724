import type { Rollout } from '../../shared/api/tasks.ts';
import { isFinal } from '../../shared/task-state.ts';
import type { Sqlite } from '../../shared/node/sqlite.ts';
import type { Ledger, SeenTask } from './ledger.ts';

/** Where more tasks of a run worked at the same time than its rollout allows. */
export function overruns(ledger: Ledger, controller: Sqlite): string[] {
  const runs = controller
    .prepare<[], { id: string; rollout: string; total: number }>(
      'SELECT id, rollout, total FROM runs WHERE rollout IS NOT NULL',
    )
    .all();
  return runs.flatMap(({ id, rollout, total }) => {
    const tasks = [...ledger.tasks.values()].filter(({ runId }) => runId === id);
    const problem = firstOverrun(tasks, JSON.parse(rollout) as Rollout, total);
    return problem === undefined ? [] : [`run ${id} of ${total} tasks, ${rollout}: ${problem}`];
  });
}

function firstOverrun(tasks: SeenTask[], rollout: Rollout, total: number): string | undefined {
  const batch = rollout.batch === undefined ? Infinity : batchOf(rollout.batch, total);
  const canary = Math.min(rollout.canary ?? 0, total);
  const moves = tasks.flatMap((task) => task.moves).sort((left, right) => left.order - right.order);
  let [working, completed, failed] = [0, 0, 0];
  for (const { from, to } of moves) {
    if (to === 'IN_PROGRESS') {
      working += 1;
      if (working > batch) return `${working} work at the same time`;
      if (completed < canary && working + completed > canary) return 'work begins beside the canary';
      if (completed < canary && failed > 0) return 'work begins after a canary failed';
    }
    if (from === 'IN_PROGRESS' && isFinal(to)) working -= 1;
    if (to === 'COMPLETED') completed += 1;
    if (to === 'FAILED') failed += 1;
  }
  return undefined;
}

const batchOf = (text: string, total: number): number =>
  text.endsWith('%') ? Math.max(1, Math.ceil((total * Number(text.slice(0, -1))) / 100)) : Number(text);
