import type { EventType } from '../../shared/api/events.ts';
import type { NewAuditEntry } from '../store/audit.ts';
import type { NewEvent } from '../store/events.ts';
import type { StoreTables } from '../store/store.ts';
import type { TaskMove } from '../store/tasks.ts';
import { isFinal } from '../../shared/task-state.ts';
import { questionEvent } from './question-events.ts';

const endsQuestions = new Set<EventType>([
  'task.completed',
  'task.failed',
  'task.cancelled',
  'task.cancel_requested',
]);

/**
 * What one transaction gathers besides its updates: events and audit entries, written with it, and what is said to devices, only
 * after it is committed.
 */
export class Changes {
  readonly events: NewEvent[] = [];
  readonly audit: NewAuditEntry[] = [];
  readonly afterCommit: (() => void)[] = [];
  /** Devices that may take more work now. */
  readonly freedDevices = new Set<string>();
  /** Runs of which a task ended. */
  readonly advancedRuns = new Set<string>();

  noteEnded(moves: TaskMove[]): void {
    for (const { status, runId } of moves) {
      if (runId !== null && isFinal(status)) this.advancedRuns.add(runId);
    }
  }

  async write(tables: StoreTables): Promise<void> {
    await this.#withdrawQuestions(tables);
    if (this.events.length > 0) await tables.events.append(this.events);
    if (this.audit.length > 0) await tables.audit.append(this.audit);
  }

  /** What a task asks ends with it, also when it is only asked to stop. */
  async #withdrawQuestions(tables: StoreTables): Promise<void> {
    const ending = this.events.filter(({ type }) => endsQuestions.has(type));
    if (ending.length === 0) return;
    const taskIds = [...new Set(ending.flatMap(({ taskId }) => taskId ?? []))];
    const at = ending[0]?.at ?? 0;
    const withdrawn = await tables.questions.withdrawOfTasks(taskIds);
    this.events.push(...withdrawn.map((move) => questionEvent(move, at)));
  }
}
