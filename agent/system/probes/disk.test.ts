import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { disk, inTurn } from './disk.ts';

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

test('looks that never end hold two threads at most, and the number of those that wait is bounded', async () => {
  const size = { blocks: 1, bfree: 1, bavail: 1, bsize: 1 };
  const asked: string[] = [];
  const { promise: answer, resolve } = Promise.withResolvers<typeof size>();
  const look = inTurn((path) => {
    asked.push(path);
    return answer;
  });
  const looks = Array.from({ length: 102 }, (_one, index) => look(`/mnt/${index}`));
  await expect(look('/')).rejects.toThrow(/100 looks/);
  expect(asked).toEqual(['/mnt/0', '/mnt/1']);
  resolve(size);
  await Promise.all(looks);
  expect(asked).toHaveLength(102);
  await look('/');
});
