import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { requireReversible } from './release-schema.ts';

/** A tree whose program answers with this. */
function treeSaying(folder: string, script: string): string {
  const tree = join(folder, '1.2.3_aB3dE6gH');
  mkdirSync(join(tree, 'bin'), { recursive: true });
  writeFileSync(join(tree, 'bin/node'), `#!/bin/sh\n[ "$2" = schema ] || exit 9\n${script}\n`);
  chmodSync(join(tree, 'bin/node'), 0o755);
  return tree;
}

const own = { newest: 5, oldest: 3 };
const saying = (range: object) => `echo '${JSON.stringify(range)}'`;

test.each([
  ['knows the same', saying({ newest: 5, oldest: 3 })],
  ['only adds', saying({ newest: 9, oldest: 5 })],
  ['is older, and knows what it must', saying({ newest: 3, oldest: 1 })],
  ['cannot tell', 'exit 2'],
  ['says something else', 'echo hello'],
])('a release that %s can be tried', async (_what, script) => {
  using folder = temporaryFolder('release-schema');
  const tree = treeSaying(folder.path, script);
  await expect(requireReversible(tree, own)).resolves.toBeUndefined();
});

test.each([
  ['there would be no way back from', { newest: 9, oldest: 6 }, /no way back.*knows 5/],
  ['could not open the database', { newest: 2, oldest: 1 }, /knows 2 steps.*made 3/],
])('a release that %s is refused', async (_what, range, message) => {
  using folder = temporaryFolder('release-schema');
  const tree = treeSaying(folder.path, saying(range));
  await expect(requireReversible(tree, own)).rejects.toMatchObject({
    code: 'bad_release',
    message: expect.stringMatching(message),
  });
});
