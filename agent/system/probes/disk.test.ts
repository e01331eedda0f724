import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { disk } from './disk.ts';

test('agrees with df for a path that is no mount point', async () => {
  const { usedPercent, availableBytes } = await disk('/etc');
  const told = execFileSync('df', ['-B1', '--output=avail,pcent', '/etc'], { encoding: 'utf8' });
  const [, available, percent] = /(\d+)\s+(\d+)%/.exec(told) ?? [];
  expect(Math.abs(Math.ceil(usedPercent) - Number(percent))).toBeLessThanOrEqual(1);
  // Others write to this disk meanwhile.
  expect(Math.abs(availableBytes - Number(available))).toBeLessThan(1_000_000_000);
});

test('a path that does not exist is named', async () => {
  await expect(disk('/no/such/path')).rejects.toMatchObject({
    code: 'path_missing',
    message: '/no/such/path does not exist',
  });
});
