import { expect, test } from 'vitest';
import { FakeController, paged, refused } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';

const root = '/api/v1/organizations/default/accounts';
const ann = {
  email: 'ann@example.org',
  name: 'Ann',
  role: 'operator',
  status: 'ENABLED',
  last_login: null,
  created_at: '2026-01-01T00:00:00.000Z',
  updated_at: '2026-01-01T00:00:00.000Z',
};

test('a password that was made stands alone on stdout; a given one is read from stdin and not told', async () => {
  await using controller = await FakeController.start();
  controller.on(`POST ${root}`, { body: { ...ann, password: 'made-for-ann' } });
  const made = await runMuster(['user', 'add', 'ann@example.org', '--role', 'operator'], {
    url: controller.url,
  });
  expect(made).toMatchObject({ exitCode: 0, stdout: 'made-for-ann\n' });
  expect(controller.seen[0]?.body).toEqual({ email: 'ann@example.org', role: 'operator' });

  controller.on(`PUT ${root}/ann%40example.org/password`, { body: ann });
  const args = ['user', 'reset-password', 'ann@example.org', '--password-stdin'];
  const reset = await runMuster(args, { url: controller.url, stdin: 'a good password\n' });
  expect(controller.seen[1]?.body).toEqual({ password: 'a good password' });
  expect(reset.stdout + reset.stderr).not.toContain('a good password');
});

test('accounts are listed, changed and removed', async () => {
  await using controller = await FakeController.start();
  controller.on(`GET ${root}`, ({ query }) => ({ body: paged([ann], query) }));
  controller.on(`PUT ${root}/ann%40example.org/role`, { body: { ...ann, role: 'admin' } });
  controller.on(`POST ${root}/ann%40example.org/enable`, { body: ann });
  controller.on(`DELETE ${root}/ann%40example.org/identities`, { status: 204 });
  controller.on(`DELETE ${root}/ann%40example.org`, refused(409, 'conflict', 'ann is the last admin'));
  const run = (...args: string[]) => runMuster(['user', ...args, '-f', 'simple'], { url: controller.url });

  expect(await run('unlink', 'ann@example.org')).toMatchObject({ exitCode: 0 });
  expect((await run('list')).stdout).toMatch(/ann@example.org +Ann +operator +ENABLED +never/);
  expect((await run('set-role', 'ann@example.org', 'admin')).exitCode).toBe(0);
  expect(controller.seen.at(-1)?.body).toEqual({ role: 'admin' });
  expect((await run('enable', 'ann@example.org')).exitCode).toBe(0);
  expect(await run('remove', 'ann@example.org')).toMatchObject({ exitCode: 2 });
  expect(await run('disable', 'ann@example.org')).toMatchObject({ exitCode: 2 });
  expect(await run('remove', 'ann@example.org', '--yes')).toMatchObject({ exitCode: 6 });
});

test.each([
  ['device.approved', 'muster: no action device.approved is known. Did you mean device.approve?'],
  ['bundle', 'muster: no action bundle is known. Did you mean bundle.put, bundle.remove?'],
  ['whatever', 'muster: no action whatever is known: they are named like device.approve or task.failed'],
])('an audit log without entries of %s says what actions there are', async (action, told) => {
  await using controller = await FakeController.start();
  controller.on('GET /api/v1/organizations/default/audit', ({ query }) => ({ body: paged([], query) }));
  const { exitCode, stderr } = await runMuster(['audit', '--action', action], { url: controller.url });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: `No audit entries\n${told}\n` });
});

test('an audit log without entries of an action that exists says no more', async () => {
  await using controller = await FakeController.start();
  controller.on('GET /api/v1/organizations/default/audit', ({ query }) => ({ body: paged([], query) }));
  const { stderr } = await runMuster(['audit', '--action', 'task.failed'], { url: controller.url });
  expect(stderr).toBe('No audit entries\n');
});

test('the audit log is searched by time, text and person', async () => {
  await using controller = await FakeController.start();
  controller.on('GET /api/v1/organizations/default/audit', ({ query }) => ({ body: paged([], query) }));
  await runMuster(
    [
      'audit',
      '--since',
      '2h',
      '--until',
      '2026-01-01',
      '--search',
      'disk full',
      '--actor',
      'ann@example.org',
    ],
    {
      url: controller.url,
    },
  );
  expect(controller.seen[0]?.query).toMatchObject({
    actor: 'ann@example.org',
    search: 'disk full',
    created_after: '2h',
    created_before: '2026-01-01T00:00:00.000Z',
  });
});
