import { statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { FakeController } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';

let env: Record<string, string>;
let folder: string;
beforeEach(() => {
  const made = temporaryFolder('cli-profile');
  folder = made.path;
  env = { XDG_CONFIG_HOME: made.path, MUSTER_TOKEN: '' };
  return () => made[Symbol.dispose]();
});

test('keeps address and token in a file for its owner only, and uses them', async () => {
  await using controller = await FakeController.start();
  const set = ['profile', 'set', 'lab', '--url', controller.url, '-o', 'lab-org', '--token-stdin'];
  expect(await runMuster(set, { env, stdin: 'token-9\n' })).toMatchObject({ exitCode: 0, stdout: '' });
  expect(statSync(join(folder, 'muster', 'config.yaml')).mode & 0o777).toBe(0o600);

  await runMuster(['task', 'list'], { env });
  expect(controller.seen[0]).toMatchObject({
    query: { organization: 'lab-org' },
    headers: { authorization: 'Bearer token-9' },
  });
});

test('lists profiles without their tokens, changes the one in use, and forgets', async () => {
  await runMuster(['profile', 'set', 'a', '--url', 'https://a.example.org', '--token-stdin'], {
    env,
    stdin: 'secret',
  });
  await runMuster(['profile', 'set', 'b', '--url', 'https://b.example.org', '--timezone', 'UTC'], { env });
  await runMuster(['profile', 'use', 'b'], { env });
  const { stdout } = await runMuster(['profile', 'list', '--json'], { env });
  expect(stdout).not.toContain('secret');
  expect(JSON.parse(stdout)).toEqual([
    { name: 'a', current: false, has_token: true, url: 'https://a.example.org' },
    { name: 'b', current: true, has_token: false, url: 'https://b.example.org', timezone: 'UTC' },
  ]);
  expect((await runMuster(['profile', 'remove', 'b'], { env })).exitCode).toBe(0);
  expect((await runMuster(['profile', 'list', '-q'], { env })).stdout).toBe('a\n');
  expect(await runMuster(['profile', 'use', 'b'], { env })).toMatchObject({
    exitCode: 2,
    stderr: 'muster: there is no profile b\nKnown profiles: a\n',
  });
});
