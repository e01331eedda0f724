import { beforeEach, expect, test } from 'vitest';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { givePassword, goodPassword } from '../../test/harness/people.ts';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { runMuster } from '../testing/run-muster.ts';

let env: Record<string, string>;
beforeEach(() => {
  const made = temporaryFolder('cli-organization');
  env = { XDG_CONFIG_HOME: made.path, MUSTER_TOKEN: '' };
  return () => made[Symbol.dispose]();
});

/** Somebody with a session, and what their commands come to. */
async function start() {
  const api = await ApiUnderTest.start();
  await givePassword(api, api.admin);
  const url = await api.listen();
  const muster = (...args: string[]) => runMuster(args, { env, stdin: `${goodPassword}\n` });
  const login = ['auth', 'login', '--url', url, '--email', api.admin.account.email, '--password-stdin'];
  expect((await muster(...login)).exitCode).toBe(0);
  return { api, muster, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

test('an admin makes an organization, renames it and deletes it', async () => {
  await using given = await start();
  const { muster } = given;
  const made = await muster('organization', 'create', 'branch', '--display-name', 'The Branch');
  expect(made).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('The Branch') });
  expect((await muster('auth', 'me')).stdout).toContain('branch (admin), default (admin)');
  expect((await muster('organization', 'rename', 'branch', 'west')).exitCode).toBe(0);
  expect((await muster('organization', 'delete', 'west')).exitCode).toBe(2);
  expect((await muster('organization', 'delete', 'west', '--yes', '--json')).stdout).toContain('"west"');
  expect((await muster('organization', 'list', '-q')).stdout).toBe('default\n');
});

test('a session acts in the organization that --org names', async () => {
  await using given = await start();
  const { muster } = given;
  await muster('organization', 'create', 'branch');
  await muster('--org', 'branch', 'user', 'add', 'ann@example.org');
  expect((await muster('--org', 'branch', 'user', 'list', '-q')).stdout).toContain('ann@example.org');
  expect((await muster('user', 'list', '-q')).stdout).not.toContain('ann@example.org');
  const minted = await muster('--org', 'branch', 'auth', 'token', 'create', 'robot', '--json');
  expect(JSON.parse(minted.stdout)).toMatchObject({ name: 'robot', organization: 'branch' });
});
