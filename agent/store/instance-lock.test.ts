import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { lockInstance } from './instance-lock.ts';

test('one at a time has the folder, and the next one gets it when it is given up', () => {
  using folder = temporaryFolder('instance-lock');
  const path = join(folder.path, 'agent.lock');
  const first = lockInstance(path, 0);
  expect(first).toBeDefined();
  expect(lockInstance(path, 0)).toBeUndefined();
  first?.[Symbol.dispose]();

  using second = lockInstance(path, 0);
  expect(second).toBeDefined();
});
