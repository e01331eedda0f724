import { expect, test } from 'vitest';
import { outcomeOf, summaryOf } from './outcome.ts';

const tasks = (...states: ('COMPLETED' | 'FAILED' | 'EXPIRED' | 'PENDING')[]) =>
  states.map((status) => ({ status }));

test('all completed is ok, none is failed, anything between is some failed', () => {
  expect(outcomeOf(tasks('COMPLETED', 'COMPLETED'))).toBe('ok');
  expect(outcomeOf(tasks('FAILED', 'EXPIRED'))).toBe('failed');
  expect(outcomeOf(tasks('COMPLETED', 'EXPIRED'))).toBe('someFailed');
});

test('sums up what has ended before what has not', () => {
  expect(summaryOf(tasks('PENDING', 'COMPLETED', 'FAILED', 'COMPLETED'))).toBe(
    '3 of 4 ended: 2 COMPLETED, 1 FAILED; 1 PENDING',
  );
});
