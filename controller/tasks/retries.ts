import type { Clock, Instant, Random } from '../../shared/clock.ts';
import { drawTaskCode } from '../../shared/ids.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { Bus } from '../bus/bus.ts';
import type { NewEvent } from '../store/events.ts';
import type { RetryableTask } from '../store/retries.ts';
import type { Store } from '../store/store.ts';
import type { NewTask } from '../store/tasks.ts';
import { WakeUp } from './wake-up.ts';

export interface RetriesParts {
  store: Store;
  bus: Bus;
  clock: Clock;
  random: Random;
  log: Logger;
  settings: { pollMs: number };
}

/** Tasks tried again in one transaction. */
const batch = 500;

/**
 * Makes the next try of failed tasks, in runs that asked for it.
 *
 * - A retry is a new task that waits SCHEDULED for its delay; the failed one stays as it is and no longer counts in its run.
 * - Who is due is told by the store alone, and a task has one retry at most, so neither a crash nor a second controller makes two.
 */
export class Retries {
  readonly #parts: RetriesParts;
  readonly #wakeUp = new WakeUp();
  #openRuns: ReadonlySet<string> = new Set();

  constructor(parts: RetriesParts) {
    this.#parts = parts;
  }

  /** Tasks of these runs ended. */
  runsAdvanced(runIds: Iterable<string>): void {
    for (const id of runIds) if (this.#openRuns.has(id)) return this.#wakeUp.call();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    const ticking = this.#tick(signal);
    while (!signal.aborted) {
      try {
        await this.#look(signal);
      } catch (error) {
        log.error({ err: error }, 'making retries failed, the next look tries again');
      }
      await this.#wakeUp.wait(signal);
    }
    await ticking;
  }

  async #tick(signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#parts;
    while (!signal.aborted) {
      await clock.sleep(settings.pollMs, signal).catch(() => undefined);
      this.#wakeUp.call();
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { store, bus } = this.#parts;
    this.#openRuns = new Set(await store.retries.openRuns());
    if (this.#openRuns.size === 0) return;
    while (!signal.aborted) {
      const made = await this.#retry();
      if (made > 0) {
        bus.publish('events', {});
        bus.publish('deadlines', {});
      }
      if (made < batch) break;
    }
    await store.retries.closeEnded();
  }

  async #retry(): Promise<number> {
    const { store, clock, log } = this.#parts;
    if ((await store.retries.due(1)).length === 0) return 0;
    return store.transaction(async (tables) => {
      const now = clock.now();
      const due = await tables.retries.due(batch);
      const tasks = due.map((one) => this.#nextTry(one, now));
      await tables.tasks.insert(tasks);
      await tables.retries.supersede(
        due.map(({ task }) => task.id),
        now,
      );
      await tables.events.append(tasks.map((task) => created(task, now)));
      for (const { code, retryOf } of tasks) log.info({ task: code, retryOf }, 'task is tried again');
      return tasks.length;
    });
  }

  #nextTry({ task, delayMs }: RetryableTask, now: Instant): NewTask {
    const { random } = this.#parts;
    const { organizationId, deviceId, runId, type, lane, parameters, force, createdBy } = task;
    const { expiresInMs, timeoutMs } = task;
    return {
      id: random.uuid(),
      code: drawTaskCode(random),
      organizationId,
      deviceId,
      runId,
      type,
      status: 'SCHEDULED',
      lane,
      parameters,
      force,
      createdBy,
      createdAt: now,
      scheduledAt: Math.max(now, (task.completedAt ?? now) + delayMs),
      expiresInMs,
      timeoutMs,
      expiresAt: null,
      retryOf: task.code,
      retryNumber: task.retryNumber + 1,
    };
  }
}

const created = (task: NewTask, at: Instant): NewEvent => ({
  type: 'task.created',
  at,
  organizationId: task.organizationId,
  deviceId: task.deviceId,
  taskId: task.id,
  runId: task.runId,
  data: { status: task.status, task_type: task.type, retry_of: task.retryOf, retry_number: task.retryNumber },
});
