import { expect, test } from 'vitest';
import type { AppError } from '../../shared/errors.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';

async function start() {
  const controller = await CoreUnderTest.start();
  const account = {
    id: 'account',
    organizationId: controller.organization.id,
    email: 'somebody@example.org',
    name: 'Somebody',
    role: 'operator' as const,
    createdAt: 0,
  };
  await controller.store.access.insertAccount(account);
  const mint = (name: string, expiresAt: number | null = null) =>
    controller.core.tokens.mintAccessToken(controller.actor, account, { name, scope: 'RW', expiresAt });
  const codeOf = (token: string) =>
    controller.core.tokens.authenticate(token).then(
      () => 'done',
      (error: AppError) => error.code,
    );
  return { controller, account, mint, codeOf };
}

test('a token is told once, and stands for its bearer', async () => {
  const { controller, mint } = await start();
  await using _ = controller;
  const { token, row } = await mint('laptop');
  expect(token).toMatch(/^mst_[\w-]{43}$/);
  expect(JSON.stringify(row)).not.toContain(token);
  const principal = await controller.core.tokens.authenticate(token);
  expect(principal).toMatchObject({ account: { email: 'somebody@example.org' }, token: { name: 'laptop' } });
  expect((await controller.store.access.principal(row.hash))?.token.lastUsedAt).toBe(controller.clock.now());
});

test('tokens that are unknown, revoked or expired say so', async () => {
  const { controller, account, mint, codeOf } = await start();
  await using _ = controller;
  const revoked = await mint('revoked');
  await controller.core.tokens.revokeAccessToken(controller.actor, account.id, 'revoked');
  const expired = await mint('expired', controller.clock.now() + 1_000);
  expect(await codeOf(expired.token)).toBe('done');
  controller.clock.jump(1_000);
  expect(await codeOf(expired.token)).toBe('token_expired');
  expect(await codeOf(revoked.token)).toBe('not_authenticated');
  expect(await codeOf('mst_unknown')).toBe('not_authenticated');
  expect(await codeOf('')).toBe('not_authenticated');
  await expect(
    controller.core.tokens.revokeAccessToken(controller.actor, account.id, 'revoked'),
  ).rejects.toMatchObject({ code: 'not_found' });
});
