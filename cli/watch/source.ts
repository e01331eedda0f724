import type { Task } from '../../shared/api/tasks.ts';
import type { Client } from '../client/client.ts';
import type { EventFilter } from '../client/event-stream.ts';
import { isEnded } from './ended.ts';

/** Tasks that are watched together. */
export interface WatchSource {
  events: EventFilter;
  /**
   * Tasks that are new or differ from `known`. Only a `thorough` reading is sure to see every change; others are cheap and see the
   * latest ones.
   */
  changed(known: ReadonlyMap<string, Task>, thorough: boolean): Promise<Task[]>;
  /** Every task is known and has ended. */
  isOver(known: ReadonlyMap<string, Task>): boolean;
}

const perPage = 100;

/** The tasks of one run. */
export function runSource(client: Client, run: string, organization: string): WatchSource {
  let total = Number.POSITIVE_INFINITY;
  const page = (number: number, sort: string) =>
    client.tasks.list({ run, page: number, per_page: perPage, sort_by: sort });
  return {
    events: { run, organization },
    async changed(known, thorough) {
      const changed: Task[] = [];
      // By name no page shifts while we read; newest change first lets us stop at the first page that tells nothing new.
      const sort = thorough ? 'device_name:asc' : 'updated_at:desc';
      for (let number = 1; ; number += 1) {
        const answer = await page(number, sort);
        total = answer.total;
        const news = answer.items.filter((task) => isNews(known.get(task.task), task));
        changed.push(...news);
        if (number >= answer.pages || answer.items.length === 0) return changed;
        if (!thorough && news.length === 0) return changed;
      }
    },
    isOver: (known) => known.size >= total && allEnded(known),
  };
}

/** Tasks named by code. */
export function taskSource(client: Client, codes: string[], organization: string): WatchSource {
  const [first] = codes;
  return {
    events: codes.length === 1 && first !== undefined ? { task: first, organization } : { organization },
    async changed(known) {
      const open = codes.filter((code) => !isEnded(known.get(code)));
      const tasks = await Promise.all(open.map((code) => client.tasks.describe(code)));
      return tasks.filter((task) => isNews(known.get(task.task), task));
    },
    isOver: (known) => codes.every((code) => known.has(code)) && allEnded(known),
  };
}

const allEnded = (known: ReadonlyMap<string, Task>): boolean => [...known.values()].every(isEnded);

const isNews = (known: Task | undefined, task: Task): boolean =>
  known === undefined ||
  known.updated_at !== task.updated_at ||
  known.status !== task.status ||
  known.progress !== task.progress ||
  known.message !== task.message ||
  known.question?.id !== task.question?.id;
