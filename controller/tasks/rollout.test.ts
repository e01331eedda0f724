import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Rollout } from '../../shared/api/tasks.ts';
import { type TaskState, taskStateNames } from '../../shared/task-state.ts';
import { planRollout } from './rollout.ts';

const countsOf = (some: Partial<Record<TaskState, number>>): Record<TaskState, number> => ({
  SCHEDULED: 0,
  PENDING: 0,
  IN_PROGRESS: 0,
  COMPLETED: 0,
  FAILED: 0,
  CANCELLED: 0,
  EXPIRED: 0,
  ...some,
});

const plan = (rollout: Rollout, some: Partial<Record<TaskState, number>>, offered = 0) => {
  const counts = countsOf(some);
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return planRollout(rollout, { total, counts, offered });
};

describe('batch', () => {
  test.each([
    ['10', { PENDING: 100 }, 0, 10],
    ['10', { PENDING: 90, IN_PROGRESS: 4 }, 3, 3],
    ['10', { PENDING: 90, IN_PROGRESS: 10 }, 0, 0],
    ['10', { PENDING: 90, IN_PROGRESS: 12 }, 0, 0],
    ['10%', { PENDING: 15 }, 0, 2],
    ['1%', { PENDING: 15 }, 0, 1],
    ['0', { PENDING: 15 }, 0, 1],
  ] as const)('of %s with %o and %i offered leaves %i', (batch, counts, offered, slots) => {
    expect(plan({ batch }, counts, offered)).toEqual({ kind: 'go', slots });
  });

  test('does not mind failures when none are limited', () => {
    expect(plan({ batch: '2' }, { PENDING: 5, FAILED: 50 })).toEqual({ kind: 'go', slots: 2 });
  });
});

describe('max_failures', () => {
  test.each([
    ['2', { PENDING: 8, FAILED: 2 }, 'go'],
    ['2', { PENDING: 7, FAILED: 3 }, 'stop'],
    ['0', { PENDING: 7, FAILED: 1 }, 'stop'],
    ['25%', { PENDING: 8, FAILED: 2 }, 'go'],
    ['25%', { PENDING: 7, FAILED: 3 }, 'stop'],
  ] as const)('of %s with %o says %s', (max_failures, counts, kind) => {
    expect(plan({ max_failures }, counts).kind).toBe(kind);
  });

  test('counts neither cancelled nor expired tasks as failures', () => {
    expect(plan({ max_failures: '0' }, { PENDING: 1, CANCELLED: 3, EXPIRED: 3 }).kind).toBe('go');
  });
});

describe('canary', () => {
  test.each([
    ['lets so many work first', { PENDING: 10 }, 0, { kind: 'go', slots: 2 }],
    ['waits for those that work', { PENDING: 8, IN_PROGRESS: 1 }, 1, { kind: 'go', slots: 0 }],
    ['waits for the rest of them', { PENDING: 9, COMPLETED: 1 }, 0, { kind: 'go', slots: 1 }],
    [
      'opens for all once they have completed',
      { PENDING: 8, COMPLETED: 2 },
      0,
      { kind: 'go', slots: Infinity },
    ],
  ])('%s', (_what, counts, offered, expected) => {
    expect(plan({ canary: 2 }, counts, offered)).toEqual(expected);
  });

  test('stops when one of them fails, whatever max_failures allows', () => {
    expect(plan({ canary: 2, max_failures: '5' }, { PENDING: 8, COMPLETED: 1, FAILED: 1 })).toMatchObject({
      kind: 'stop',
      reason: expect.stringContaining('canary'),
    });
  });

  test('alone allows no failure afterwards either', () => {
    expect(plan({ canary: 2 }, { PENDING: 5, COMPLETED: 4, FAILED: 1 }).kind).toBe('stop');
    expect(plan({ canary: 2, max_failures: '1' }, { PENDING: 5, COMPLETED: 4, FAILED: 1 }).kind).toBe('go');
  });

  test('larger than the run waits for no more than the run has', () => {
    expect(plan({ canary: 10 }, { PENDING: 3 })).toEqual({ kind: 'go', slots: 3 });
  });
});

test('is over when every task has ended, also when too many failed', () => {
  expect(plan({ max_failures: '0' }, { FAILED: 3 })).toEqual({ kind: 'over' });
});

test('never lets more work than the batch and the canary allow', () => {
  const count = fc.nat({ max: 50 });
  const counts = fc.record(Object.fromEntries(taskStateNames.map((state) => [state, count])));
  const rollout = fc.record(
    { batch: fc.integer({ min: 1, max: 20 }).map(String), canary: fc.integer({ min: 1, max: 20 }) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(counts, rollout, count, (some, limits, offered) => {
      const made = plan(limits, some, offered);
      if (made.kind !== 'go') return;
      expect(made.slots).toBeGreaterThanOrEqual(0);
      if (made.slots === 0) return;
      const working = (some['IN_PROGRESS'] ?? 0) + offered + made.slots;
      if (limits.batch !== undefined) expect(working).toBeLessThanOrEqual(Number(limits.batch));
      const completed = some['COMPLETED'] ?? 0;
      if (limits.canary !== undefined && completed < limits.canary && Number.isFinite(made.slots)) {
        expect(working + completed).toBeLessThanOrEqual(limits.canary);
      }
    }),
  );
});
