import { expect, test } from 'vitest';
import { FakeController } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';

const route = 'POST /api/v1/organizations/default/enrolment-tokens';
const created = {
  name: 'branch',
  token_prefix: 'abc',
  uses: 0,
  max_uses: 5,
  auto_approve: false,
  labels: {},
  expires_at: null,
  created_at: '2026-01-01T00:00:00.000Z',
  is_expired: false,
  is_revoked: false,
  token: 'ticket-text',
};

test('a list says which tokens are used up', async () => {
  await using controller = await FakeController.start();
  const { token: _, ...shown } = created;
  const items = [
    { ...shown, uses: 5 },
    { ...shown, max_uses: null, uses: 9 },
  ];
  controller.on(route.replace('POST', 'GET'), { body: { items, total: 2, page: 1, per_page: 30, pages: 1 } });
  const { stdout } = await runMuster(['enrolment-token', 'list', '-f', 'simple'], { url: controller.url });
  expect(stdout).toMatch(/5 of 5 .*used up/);
  expect(stdout).toMatch(/9 of unlimited .*valid/);
});

test('prints the token alone on stdout, so that it can be piped', async () => {
  await using controller = await FakeController.start();
  controller.on(route, { body: created });
  const args = [
    'enrolment-token',
    'create',
    'branch',
    '--uses',
    '5',
    '--expires-in',
    'never',
    '--label',
    'site=x',
  ];
  const { exitCode, stdout, stderr } = await runMuster(args, { url: controller.url });
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'ticket-text\n' });
  expect(stderr).toContain('shown only now');
  expect(controller.seen[0]?.body).toEqual({
    name: 'branch',
    max_uses: 5,
    expires_in_seconds: null,
    auto_approve: false,
    labels: { site: 'x' },
  });
});
