import { totalmem } from 'node:os';
import { expect, test } from 'vitest';
import { memory } from './memory.ts';

test('tells the memory of this machine', async () => {
  const { totalBytes, availableBytes, usedPercent } = await memory();
  expect(Math.abs(totalBytes - totalmem())).toBeLessThan(totalmem() / 50);
  expect(usedPercent).toBeCloseTo(((totalBytes - availableBytes) / totalBytes) * 100, 6);
  expect(usedPercent).toBeGreaterThan(0);
  expect(usedPercent).toBeLessThan(100);
});
