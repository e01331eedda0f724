import { expect, test } from 'vitest';
import { exitCodes, exitReasonOf } from './exit-codes.ts';
import { runMuster } from './testing/run-muster.ts';

test('the exit codes are the documented ones', () => {
  expect(Object.values(exitCodes).map(({ code }) => code)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 130]);
});

test('`muster help exit-codes` explains every one of them', async () => {
  const { exitCode, stdout } = await runMuster(['help', 'exit-codes']);
  expect(exitCode).toBe(0);
  for (const { code, says } of Object.values(exitCodes)) expect(stdout).toContain(`${code}  ${says}`);
});

test('a proxy whose controller is away counts as unreachable', () => {
  expect([502, 503, 504].map((status) => exitReasonOf(status, 'http'))).toEqual([
    'unreachable',
    'unreachable',
    'unreachable',
  ]);
});
