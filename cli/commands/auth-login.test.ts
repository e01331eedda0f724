import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { FakeController, refused } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';

let env: Record<string, string>;
let file: string;
beforeEach(() => {
  const made = temporaryFolder('cli-login');
  file = join(made.path, 'muster', 'config.yaml');
  env = { XDG_CONFIG_HOME: made.path, MUSTER_TOKEN: '' };
  return () => made[Symbol.dispose]();
});

const granted = (number: number, expires_in = 900) => ({
  access_token: `access-${number}`,
  token_type: 'Bearer',
  expires_in,
  refresh_token: `refresh-${number}`,
  refresh_expires_at: '2027-01-01T00:00:00.000Z',
  email: 'ann@example.org',
  organization: 'lab',
  role: 'operator',
});
const args = ['auth', 'login', '--email', 'ann@example.org', '--password-stdin'];
const logIn = (url: string) => runMuster([...args, '--url', url], { env, stdin: 'correct horse battery\n' });

test('a session is kept for its owner only, used, and ended', async () => {
  await using controller = await FakeController.start();
  controller.on('POST /api/auth/login', { body: granted(1) });
  controller.on('POST /api/auth/logout', { status: 204 });
  const login = await logIn(controller.url);
  expect(login).toMatchObject({ exitCode: 0, stdout: '' });
  expect(login.stderr).toContain('ann@example.org (operator in lab)');
  expect(login.stderr).not.toMatch(/access-1|refresh-1|horse/);
  expect(controller.seen[0]).toMatchObject({
    headers: { accept: 'application/json' },
    body: { email: 'ann@example.org', password: 'correct horse battery' },
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).not.toContain('horse');

  await runMuster(['task', 'list'], { env });
  expect(controller.seen[1]).toMatchObject({
    query: { organization: 'lab' },
    headers: { authorization: 'Bearer access-1' },
  });
  const listed = await runMuster(['profile', 'list', '--json'], { env });
  expect(listed.stdout).toContain('"has_session": true');
  expect(listed.stdout).not.toMatch(/access-1|refresh-1/);

  expect((await runMuster(['auth', 'logout'], { env })).exitCode).toBe(0);
  expect(controller.requests('POST /api/auth/logout')[0]?.body).toEqual({ refresh_token: 'refresh-1' });
  expect(readFileSync(file, 'utf8')).not.toMatch(/access-1|refresh-1/);
});

test('a wrong password is told as one: nothing is said of tokens', async () => {
  await using controller = await FakeController.start();
  controller.on('POST /api/auth/login', refused(401, 'not_authenticated', 'E-mail or password is wrong'));
  const { exitCode, stderr } = await logIn(controller.url);
  expect(exitCode).toBe(4);
  expect(stderr).toMatch(
    /^muster: E-mail or password is wrong.*\nCheck the e-mail and the password\. .*reset-password/,
  );
  expect(stderr).not.toMatch(/token/i);
});

test('a session that expires is refreshed once, however many processes need it at once', async () => {
  await using controller = await FakeController.start();
  controller.on('POST /api/auth/login', { body: granted(1, 10) });
  controller.on('POST /api/auth/refresh', { body: granted(2) });
  await logIn(controller.url);
  await Promise.all([1, 2, 3].map(() => runMuster(['task', 'list'], { env })));
  expect(controller.requests('POST /api/auth/refresh').map(({ body }) => body)).toEqual([
    { refresh_token: 'refresh-1' },
  ]);
  const used = controller.requests('GET /api/v1/tasks').map(({ headers }) => headers.authorization);
  expect(used).toEqual(['Bearer access-2', 'Bearer access-2', 'Bearer access-2']);
});

test('a session that is over says how to begin another; its tokens go to no other address', async () => {
  await using controller = await FakeController.start();
  controller.on('POST /api/auth/login', { body: granted(1, 10) });
  controller.on('POST /api/auth/refresh', refused(401, 'not_authenticated', 'The session is over'));
  await logIn(controller.url);
  const { exitCode, stderr } = await runMuster(['task', 'list'], { env });
  expect({ exitCode, stderr }).toEqual({
    exitCode: 4,
    stderr: 'muster: the session is over\nBegin a new one with: muster auth login\n',
  });
  await using other = await FakeController.start();
  await runMuster(['task', 'list'], { env, url: other.url });
  expect(other.seen[0]?.headers.authorization).toBeUndefined();
  expect(await logIn(other.url)).toMatchObject({ exitCode: 2 });
  expect(other.requests('POST /api/auth/login')).toEqual([]);
});

test('a password is changed with two lines from standard input', async () => {
  await using controller = await FakeController.start();
  controller.on('POST /api/auth/password', { body: { sessions_ended: 2 } });
  const change = (stdin: string) =>
    runMuster(['auth', 'password', '--passwords-stdin'], { url: controller.url, stdin });
  const changed = await change('the old password\nthe new password\n');
  expect(changed).toMatchObject({ exitCode: 0, stdout: '' });
  expect(changed.stderr).toContain('2 other sessions');
  expect(controller.requests('POST /api/auth/password')[0]?.body).toEqual({
    current: 'the old password',
    new: 'the new password',
  });
  expect((await change('only one\n')).exitCode).toBe(2);
});
