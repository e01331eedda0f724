import { DummyClock } from '../system/dummy/clock.ts';
import { DummyMachine } from '../system/dummy/machine.ts';
import { dummyRandom } from '../system/dummy/random.ts';
import type { System } from '../system/system.ts';
import type { HandlerContext, Journal } from './handler.ts';

/** A journal in memory; it outlives a context, as the real one outlives a process. */
export class DummyJournal implements Journal {
  note: Record<string, unknown> | undefined;

  read(): Record<string, unknown> | undefined {
    return this.note;
  }

  write(note: Record<string, unknown>): void {
    this.note = structuredClone(note);
  }
}

/** What a handler is handed, on a machine in memory, with everything the handler told kept for reading. */
export interface DummyContext<Machine extends System = DummyMachine> extends HandlerContext {
  system: Machine;
  clock: DummyClock;
  journal: DummyJournal;
  /** `stream: text` of every line. */
  lines: string[];
  progresses: { percent?: number; message?: string }[];
  phases: string[];
  /** What was asked; the answer is the safe option, or yes. */
  questions: string[];
  abort(reason: unknown): void;
}

export function dummyContext(
  given: Partial<Omit<DummyContext, 'abort' | 'lines' | 'progresses' | 'phases' | 'questions'>> = {},
): DummyContext {
  const clock = given.clock ?? new DummyClock();
  const random = given.random ?? dummyRandom();
  const controller = new AbortController();
  const lines: string[] = [];
  const progresses: DummyContext['progresses'] = [];
  const phases: string[] = [];
  const questions: string[] = [];
  return {
    system: given.system ?? new DummyMachine({ clock, random }),
    code: 'aB3dE6gH',
    clock,
    random,
    signal: controller.signal,
    timeoutMs: 900_000,
    instanceId: 'instance-1',
    output: (stream, text) => void lines.push(`${stream}: ${text}`),
    progress: (progress) => void progresses.push(progress),
    reportPhase: async (phase) => void phases.push(phase),
    roundTrip: async () => 12.3456,
    ask: async ({ prompt, safe }) => {
      questions.push(prompt);
      return safe ?? 'yes';
    },
    journal: new DummyJournal(),
    lines,
    progresses,
    phases,
    questions,
    abort: (reason) => controller.abort(reason),
    ...given,
  };
}
