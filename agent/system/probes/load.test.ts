import { expect, test } from 'vitest';
import { load } from './load.ts';

test('tells three averages and the number of processors', async () => {
  const { load1, load5, load15, cpus } = await load();
  for (const average of [load1, load5, load15]) expect(average).toBeGreaterThanOrEqual(0);
  expect(cpus).toBeGreaterThanOrEqual(1);
});
