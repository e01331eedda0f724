import type { Clock } from '../../shared/clock.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import type { AgentStore } from '../store/agent-store.ts';

export interface Progress {
  percent?: number;
  message?: string;
}

/** Progress of a task is told at most this often; what comes in between is replaced by what comes later. */
const intervalMs = 1_000;

export class TaskProgress {
  readonly #parts: {
    task: { code: string; attempt: number };
    store: AgentStore;
    clock: Clock;
    onError: (error: unknown) => void;
  };
  readonly #closed = new AbortController();
  #latest: Progress | undefined;
  #waiting = false;

  constructor(parts: {
    task: { code: string; attempt: number };
    store: AgentStore;
    clock: Clock;
    onError: (error: unknown) => void;
  }) {
    this.#parts = parts;
  }

  tell(progress: Progress): void {
    if (this.#closed.signal.aborted) return;
    this.#latest = progress;
    if (this.#waiting) return;
    this.#waiting = true;
    this.#loop()
      .catch(this.#parts.onError)
      .finally(() => {
        this.#waiting = false;
      });
  }

  /** What was not told yet is not told any more: the end of the task says more. */
  close(): void {
    this.#latest = undefined;
    this.#closed.abort(new Error('the task ended'));
  }

  async #loop(): Promise<void> {
    while (this.#latest) {
      this.#write(this.#latest);
      this.#latest = undefined;
      await this.#parts.clock.sleep(intervalMs, this.#closed.signal).catch(() => undefined);
    }
  }

  #write({ percent, message }: Progress): void {
    const { task, store, clock } = this.#parts;
    const told = {
      ...(percent === undefined ? {} : { percent: Math.min(100, Math.max(0, percent)) }),
      ...(message === undefined ? {} : { message: message.slice(0, 1024) }),
    };
    try {
      store.write(() =>
        store.outbox.append('progress', {
          type: 'task.progress',
          code: task.code,
          at: clock.now(),
          attempt: task.attempt,
          ...told,
        }),
      );
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }
}
