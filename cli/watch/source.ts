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
  /** Every task is known and has ended, and no other will come. */
  isOver(known: ReadonlyMap<string, Task>): boolean;
}

const perPage = 100;

/** The tasks of one run, until it is over: one that failed may be tried again. */
export function runSource(client: Client, run: string, organization: string): WatchSource {
  let isOver = false;
  const everyEnded = (known: ReadonlyMap<string, Task>, changed: Task[], total: number) => {
    const all = new Map([...known, ...changed.map((task) => [task.task, task] as const)]);
    return all.size >= total && allEnded(all);
  };
  return {
    events: { run, organization },
    async changed(known, thorough) {
      const { changed, total } = await newsOfRun(client, run, { known, thorough });
      if (!everyEnded(known, changed, total)) return changed;
      const { completed_at, max_retries } = await client.runs.describe(run);
      isOver = completed_at !== null;
      if (!isOver || max_retries === 0) return changed;
      // A retry may have come and gone between the two readings.
      return (await newsOfRun(client, run, { known, thorough: true })).changed;
    },
    isOver: () => isOver,
  };
}

async function newsOfRun(
  client: Client,
  run: string,
  { known, thorough }: { known: ReadonlyMap<string, Task>; thorough: boolean },
): Promise<{ changed: Task[]; total: number }> {
  const changed: Task[] = [];
  // By name no page shifts while we read; newest change first lets us stop at the first page that tells nothing new.
  const sort = thorough ? 'device_name:asc' : 'updated_at:desc';
  for (let page = 1; ; page += 1) {
    const answer = await client.tasks.list({ run, page, per_page: perPage, sort_by: sort });
    const news = answer.items.filter((task) => isNews(known.get(task.task), task));
    changed.push(...news);
    const isLast = page >= answer.pages || answer.items.length === 0;
    if (isLast || (!thorough && news.length === 0)) return { changed, total: answer.total };
  }
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
