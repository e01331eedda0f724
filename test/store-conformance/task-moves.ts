import fc from 'fast-check';
import { describe, expect } from 'vitest';
import type { Store } from '../../controller/store/store.ts';
import type { NewTask } from '../../controller/store/tasks.ts';
import { canMove, type TaskState } from '../../shared/task-state.ts';
import { type Conform, completion, failure } from './world.ts';

/** One call on some of the tasks, at a moment. */
interface Step {
  verb: keyof typeof verbs;
  /** Which tasks: one bit each. */
  chosen: number;
  now: number;
}

type Verb = (store: Store, tasks: NewTask[], now: number) => Promise<unknown>;

const verbs = {
  activate: ({ tasks }, chosen, now) => tasks.activate(now, chosen.length),
  expire: ({ tasks }, chosen, now) => tasks.expire(now, chosen.length, { runs: [], onlineDevices: [] }),
  expireHeld: ({ tasks }, chosen, now) =>
    tasks.expire(now, chosen.length, { runs: ['run'], onlineDevices: ['fw'] }),
  timeOut: ({ tasks }, chosen, now) => tasks.timeOut(now, chosen.length),
  cancelWaiting: ({ tasks }, chosen, now) => tasks.cancelWaiting(ids(chosen), now),
  requestCancel: ({ tasks }, chosen, now) => tasks.requestCancel(ids(chosen), now),
  start: ({ tasks }, chosen, now) => tasks.start(chosen, now, 5),
  refuse: ({ tasks }, chosen, now) =>
    tasks.refuse(
      chosen.map((task) => ({ ...task, errorCode: 'policy', errorMessage: 'no' })),
      now,
    ),
  noteRefusal: ({ tasks }, chosen, now) =>
    tasks.noteRefusal(
      chosen.map((task) => ({ ...task, message: 'busy' })),
      now,
    ),
  complete: ({ tasks }, chosen, now) => tasks.finish(chosen.map(completion), now),
  failWith: ({ tasks }, chosen, now) => tasks.finish(chosen.map(failure), now),
  confirmCancelled: ({ tasks }, chosen, now) => tasks.confirmCancelled(chosen, now),
  keepLate: ({ tasks }, chosen, now) =>
    tasks.keepLate(
      chosen.map((task) => ({ ...task, report: '{}' })),
      now,
    ),
  progress: ({ tasks }, chosen, now) =>
    tasks.progress(
      chosen.map((task) => ({ ...task, attempt: 1, percent: 1, message: null, poweringOff: true })),
      now,
    ),
  fail: ({ tasks }, chosen, now) => tasks.fail(ids(chosen), { errorCode: 'lost', errorMessage: 'lost' }, now),
  failDevice: ({ tasks }, chosen, now) => tasks.failDevice(chosen[0]?.deviceId ?? 'nobody', now),
} satisfies Record<string, Verb>;

const ids = (tasks: NewTask[]): string[] => tasks.map(({ id }) => id);

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    verb: fc.constantFrom(...(Object.keys(verbs) as (keyof typeof verbs)[])),
    chosen: fc.nat(63),
    now: fc.nat(40),
  }),
  { minLength: 5, maxLength: 40 },
);

export const describeTaskMoves = (conform: Conform) =>
  describe('moves', () => {
    conform('no sequence of calls leaves the table of allowed moves', async (world) => {
      await world.device('fw');
      await world.device('other');
      await world.run('run');
      await fc.assert(
        fc.asyncProperty(steps, async (sequence) => {
          const tasks = await world.insert(
            { expiresAt: 20, timeoutMs: 3 },
            { expiresAt: 30, runId: 'run' },
            { expiresAt: 30, deviceId: 'other' },
            { status: 'SCHEDULED', scheduledAt: 5, expiresInMs: 10 },
            { status: 'SCHEDULED', scheduledAt: 15, expiresInMs: 10, runId: 'run' },
            { status: 'SCHEDULED', scheduledAt: 15, expiresInMs: 10, deviceId: 'other' },
          );
          const states = async (): Promise<TaskState[]> => {
            const byCode = new Map(
              (await world.store.tasks.getMany(tasks)).map((row) => [row.code, row.status]),
            );
            return tasks.map(({ code }) => byCode.get(code) ?? 'EXPIRED');
          };
          let before = await states();
          for (const { verb, chosen, now } of sequence) {
            const moves = await verbs[verb](
              world.store,
              tasks.filter((_, at) => chosen & (1 << at)),
              now,
            );
            const after = await states();
            const told = new Map(Array.isArray(moves) ? moves.map(({ code, status }) => [code, status]) : []);
            for (const [at, task] of tasks.entries()) {
              const [from, to] = [before[at] as TaskState, after[at] as TaskState];
              if (from === to) continue;
              expect(canMove(from, to), `${verb}: ${from} → ${to}`).toBe(true);
              expect(told.get(task.code), `${verb} tells its moves`).toBe(to);
            }
            before = after;
          }
          await world.store.tasks.failDevice('fw', 50);
          await world.store.tasks.failDevice('other', 50);
        }),
        { numRuns: 60 },
      );
    });
  });
