import { expect, test } from 'vitest';
import { isLost, heldVerdict } from './verdict.ts';

const inProgress = { status: 'IN_PROGRESS', cancelRequestedAt: null } as const;
const toBeCancelled = { status: 'IN_PROGRESS', cancelRequestedAt: 1 } as const;
const ended = { status: 'FAILED', cancelRequestedAt: null } as const;
const waiting = { status: 'PENDING', cancelRequestedAt: null } as const;

test.each([
  ['accepted', inProgress, 'start'],
  ['accepted', toBeCancelled, 'start'],
  ['running', inProgress, 'keep'],
  ['running', toBeCancelled, 'cancel'],
  ['finished', inProgress, 'keep'],
  ['finished', toBeCancelled, 'keep'],
  ['accepted', ended, 'forget'],
  ['running', ended, 'cancel'],
  ['finished', ended, 'keep'],
  ['accepted', waiting, 'forget'],
  ['running', waiting, 'cancel'],
  ['finished', waiting, 'keep'],
  ['accepted', undefined, 'forget'],
  ['running', undefined, 'cancel'],
  ['finished', undefined, 'keep'],
] as const)('a task that is %s at the device and %o here: %s', (held, task, verdict) => {
  expect(heldVerdict(held, task)).toBe(verdict);
});

test('a running task that the device does not list is lost, an ended one is not', () => {
  expect(isLost({ status: 'IN_PROGRESS', code: 'a' }, new Set(['b']))).toBe(true);
  expect(isLost({ status: 'IN_PROGRESS', code: 'a' }, new Set(['a']))).toBe(false);
  expect(isLost({ status: 'COMPLETED', code: 'a' }, new Set())).toBe(false);
});
