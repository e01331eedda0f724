import type { Task } from '../../shared/api/tasks.ts';
import type { Client } from '../client/client.ts';
import { listenToEvents } from '../client/event-stream.ts';
import type { Terminal } from '../terminal.ts';
import type { WatchSource } from './source.ts';
import { patiently } from './patience.ts';
import { Wake } from './wake.ts';

/** Between two readings that events asked for. */
const minGapMs = 150;
/** Readings that nobody asked for: often while there is no event stream, else as a safety net. */
const pollMs = { streaming: 10_000, deaf: 2_000 };
export interface WatchObserver {
  changed(task: Task, before: Task | undefined): void;
  /** The controller cannot be reached at the moment, or can again (undefined). */
  trouble(message: string | undefined): void;
}

export interface WatchParts {
  client: Client;
  terminal: Terminal;
  source: WatchSource;
  observer: WatchObserver;
}

/**
 * Follows tasks until all have ended, or `signal` is aborted. What is told comes from reading the tasks; events only say when to
 * read, so that a missed one costs seconds and never the end.
 */
export async function watch(parts: WatchParts, known: Map<string, Task>, signal: AbortSignal): Promise<void> {
  const { clock } = parts.terminal;
  const over = new AbortController();
  const wake = new Wake();
  const ears = listen(parts, wake, AbortSignal.any([signal, over.signal]));
  try {
    let thorough = true;
    for (;;) {
      const began = clock.monotonic();
      await read(parts, known, { thorough, signal });
      if (parts.source.isOver(known)) return;
      // Reading takes at most half of the time, however many events there are.
      await clock.sleep(Math.max(minGapMs, clock.monotonic() - began), signal);
      const quiet = Math.max(
        ears.streaming() ? pollMs.streaming : pollMs.deaf,
        10 * (clock.monotonic() - began),
      );
      thorough = !(await wake.wait((enough) => clock.sleep(quiet, AbortSignal.any([signal, enough]))));
    }
  } finally {
    over.abort();
    await ears.ended;
  }
}

function listen({ client, terminal, source }: WatchParts, wake: Wake, signal: AbortSignal) {
  let isStreaming = false;
  const ended = listenToEvents(
    { http: client.http, clock: terminal.clock, random: terminal.random, filter: source.events },
    {
      opened() {
        isStreaming = true;
        wake.ring();
      },
      event: () => wake.ring(),
      lost() {
        isStreaming = false;
      },
    },
    signal,
  ).catch(() => {
    // Without events polling does it; whatever is really wrong meets the readings too.
    isStreaming = false;
  });
  return { ended, streaming: () => isStreaming };
}

async function read(
  { source, observer, terminal: { clock } }: WatchParts,
  known: Map<string, Task>,
  { thorough, signal }: { thorough: boolean; signal: AbortSignal },
): Promise<void> {
  const changed = await patiently((afterTrouble) => source.changed(known, thorough || afterTrouble), {
    clock,
    signal,
    trouble: (message) => observer.trouble(message),
  });
  for (const task of changed) {
    const before = known.get(task.task);
    known.set(task.task, task);
    observer.changed(task, before);
  }
}
