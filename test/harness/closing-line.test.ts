import { expect, test } from 'vitest';
import { closingLine } from './closing-line.ts';

const passed = { status: 'passed', fullName: 'a' };
const result = (over: object = {}) => ({
  success: true,
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [{ name: 'a.test.ts', status: 'passed', assertionResults: [passed] }],
  ...over,
});

test('counts what the runner counted', () => {
  expect(closingLine(result(), 0).line).toBe('3 passed, 0 failed');
  expect(closingLine(result({ success: false, numFailedTests: 2 }), 1).line).toBe('3 passed, 2 failed');
});

test('says how many tests were skipped', () => {
  expect(closingLine(result({ numPendingTests: 1, numTodoTests: 1 }), 0).line).toBe(
    '3 passed, 0 failed, 2 skipped',
  );
});

test('counts a file that could not be loaded, and a runner that failed for another reason', () => {
  const broken = { name: 'b.test.ts', status: 'failed', assertionResults: [] };
  expect(closingLine(result({ success: false, testResults: [broken, broken] }), 1).failed).toBe(2);
  expect(closingLine(result(), 1).failed).toBe(1);
});
