import type { Clock } from '../../shared/clock.ts';
import type { TaskLogLine } from '../../shared/api/tasks.ts';
import type { Client } from '../client/client.ts';
import { patiently } from './patience.ts';

const idleMs = 500;
const concurrency = 8;

/** A task whose log is read; `begun` is false while there cannot be any line yet. */
export interface Followed {
  task: string;
  device_name: string;
  begun: boolean;
}

export type OnLogLine = (line: TaskLogLine, followed: Followed) => void;

export interface LogFollowerParts {
  client: Client;
  clock: Clock;
  onLine: OnLogLine;
  onTrouble?: (message: string | undefined) => void;
}

/** Reads the logs of several tasks as they grow, each line once and in order. */
export class LogFollower {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #onLine: OnLogLine;
  readonly #onTrouble: (message: string | undefined) => void;
  readonly #cursors = new Map<string, number>();
  readonly #complete = new Set<string>();

  constructor(parts: LogFollowerParts) {
    this.#client = parts.client;
    this.#clock = parts.clock;
    this.#onLine = parts.onLine;
    this.#onTrouble = parts.onTrouble ?? (() => undefined);
  }

  /** Reads until every task has ended and its log is read; `tasks` is asked anew each time round. */
  async run(tasks: () => { followed: Followed[]; final: boolean }, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const { followed, final } = tasks();
      const open = followed.filter(({ task, begun }) => begun && !this.#complete.has(task));
      if (final && open.length === 0) return;
      const grew = await this.#readAll(open, signal);
      if (!grew) await this.#clock.sleep(idleMs, signal);
    }
  }

  async #readAll(open: Followed[], signal: AbortSignal): Promise<boolean> {
    const waiting = [...open];
    let grew = false;
    const worker = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        signal.throwIfAborted();
        if (await this.#readPage(next, signal)) grew = true;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return grew;
  }

  async #readPage(followed: Followed, signal: AbortSignal): Promise<boolean> {
    const after = this.#cursors.get(followed.task) ?? 0;
    const page = await patiently(() => this.#client.tasks.logs(followed.task, after), {
      clock: this.#clock,
      signal,
      trouble: this.#onTrouble,
    });
    for (const line of page.items) this.#onLine(line, followed);
    this.#cursors.set(followed.task, page.next);
    if (page.complete) this.#complete.add(followed.task);
    return page.items.length > 0;
  }
}
