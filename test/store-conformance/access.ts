import { describe, expect } from 'vitest';
import type { AccessTokenRow, AccountRow, EnrolmentTokenRow } from '../../controller/store/access.ts';
import type { Conform, World } from './world.ts';

const account = (values: Partial<AccountRow> = {}): AccountRow => ({
  id: 'ann',
  organizationId: 'home',
  email: 'ann@example.org',
  name: 'Ann',
  role: 'admin',
  createdAt: 1,
  ...values,
});

const accessToken = (values: Partial<AccessTokenRow> = {}): AccessTokenRow => ({
  id: 'token',
  accountId: 'ann',
  organizationId: 'home',
  name: 'laptop',
  prefix: 'mst_abc',
  hash: `hash of ${values.id ?? 'token'}`,
  scope: 'RW',
  createdAt: 1,
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
  ...values,
});

const enrolmentToken = (values: Partial<EnrolmentTokenRow> = {}): EnrolmentTokenRow => ({
  id: 'token',
  organizationId: 'home',
  name: 'site-a',
  prefix: 'mse_abc',
  hash: `hash of ${values.id ?? 'token'}`,
  uses: 0,
  maxUses: null,
  autoApprove: true,
  labels: { site: 'a' },
  createdAt: 1,
  expiresAt: null,
  revokedAt: null,
  deviceId: null,
  ...values,
});

const taken = { name: 'AppError', code: 'name_taken' };

export const describeAccess = (conform: Conform) =>
  describe('access', () => {
    conform('an organization is found by name and by id, and all are listed by name', async ({ store }) => {
      const row = { id: 'id-1', name: 'between', displayName: 'Between', createdAt: 5 };
      await store.access.insertOrganization(row);
      expect(await store.access.organization('between')).toEqual(row);
      expect(await store.access.organization('id-1')).toEqual(row);
      expect(await store.access.organization('nobody')).toBeUndefined();
      expect((await store.access.organizations()).map(({ name }) => name)).toEqual([
        'away',
        'between',
        'home',
      ]);
    });

    conform('names are unique where they are promised to be', async ({ store: { access } }) => {
      await access.insertAccount(account());
      await access.insertAccount(account({ id: 'ann-away', organizationId: 'away' }));
      await access.insertAccount(account({ id: 'bob', email: 'bob@example.org' }));
      await access.insertAccessToken(accessToken());
      await access.insertAccessToken(accessToken({ id: 'of-bob', accountId: 'bob' }));
      await access.insertEnrolmentToken(enrolmentToken());
      await access.insertEnrolmentToken(enrolmentToken({ id: 'of-away', organizationId: 'away' }));

      const again = { id: 'x', name: 'home', displayName: '', createdAt: 0 };
      await expect(access.insertOrganization(again)).rejects.toMatchObject(taken);
      await expect(access.insertAccount(account({ id: 'x' }))).rejects.toMatchObject(taken);
      await expect(access.insertAccessToken(accessToken({ id: 'x' }))).rejects.toMatchObject(taken);
      await expect(access.insertEnrolmentToken(enrolmentToken({ id: 'x' }))).rejects.toMatchObject(taken);
    });

    conform(
      'a bearer is found by the hash of the token, also when revoked',
      async ({ store: { access } }) => {
        await access.insertAccount(account());
        await access.insertAccessToken(accessToken({ expiresAt: 7 }));
        await access.touchAccessToken('token', 8);
        expect(await access.revokeAccessToken('ann', 'laptop', 9)).toBe(true);

        expect(await access.principal('hash of token')).toEqual({
          account: account(),
          organization: { id: 'home', name: 'home', displayName: 'home', createdAt: 0 },
          token: accessToken({ expiresAt: 7, lastUsedAt: 8, revokedAt: 9 }),
        });
        expect(await access.principal('another hash')).toBeUndefined();
      },
    );

    conform('a token is revoked once, by its owner', async ({ store: { access } }) => {
      await access.insertAccount(account());
      await access.insertAccessToken(accessToken());
      await access.insertEnrolmentToken(enrolmentToken());
      expect(await access.revokeAccessToken('somebody', 'laptop', 5)).toBe(false);
      expect(await access.revokeAccessToken('ann', 'laptop', 5)).toBe(true);
      expect(await access.revokeAccessToken('ann', 'laptop', 6)).toBe(false);
      expect(await access.revokeEnrolmentToken('away', 'site-a', 5)).toBe(false);
      expect(await access.revokeEnrolmentToken('home', 'site-a', 5)).toBe(true);
      expect(await access.revokeEnrolmentToken('home', 'site-a', 6)).toBe(false);
    });

    conform('tokens are listed newest first, in pages', async ({ store: { access } }) => {
      await access.insertAccount(account());
      for (const at of [1, 2, 3]) {
        await access.insertAccessToken(accessToken({ id: `a${at}`, name: `n${at}`, createdAt: at }));
        await access.insertEnrolmentToken(enrolmentToken({ id: `e${at}`, name: `n${at}`, createdAt: at }));
      }
      const lists = [
        await access.accessTokens('ann', { page: 2, perPage: 2 }),
        await access.enrolmentTokens('home', { page: 2, perPage: 2 }),
      ];
      for (const { items, total } of lists) {
        expect(items.map(({ name }) => name)).toEqual(['n1']);
        expect(total).toBe(3);
      }
      const first = await access.accessTokens('ann', { page: 1, perPage: 2 });
      expect(first.items.map(({ name }) => name)).toEqual(['n3', 'n2']);
      expect(await access.accessTokens('nobody', { page: 1, perPage: 2 })).toEqual({ items: [], total: 0 });
    });

    conform('an enrolment token is read as it was made', async ({ store: { access } }) => {
      const token = enrolmentToken({ maxUses: 3, autoApprove: false });
      await access.insertEnrolmentToken(token);
      expect(await access.enrolmentTokenByHash('hash of token')).toEqual(token);
      expect(await access.enrolmentTokenByHash('another')).toBeUndefined();
    });

    conform('an enrolment token is used as often as it may be, however many ask at once', async (world) => {
      expect(await usesOf(world, { maxUses: 3 })).toBe(3);
      const token = await world.store.access.enrolmentTokenByHash('hash of token');
      expect(token?.uses).toBe(3);
    });

    conform('an enrolment token without a bound is used by all', async (world) => {
      expect(await usesOf(world, { maxUses: null })).toBe(10);
    });

    conform('an expired enrolment token cannot be used', async (world) => {
      expect(await usesOf(world, { expiresAt: 100 })).toBe(0);
    });

    conform('an enrolment token can be used until it expires', async (world) => {
      expect(await usesOf(world, { expiresAt: 101 })).toBe(10);
    });

    conform('a revoked enrolment token cannot be used', async (world) => {
      expect(await usesOf(world, { revokedAt: 1 })).toBe(0);
    });

    conform('an answer is kept once under its key, and pruned by age', async ({ store: { access } }) => {
      await access.insertAccount(account());
      const answer = {
        accountId: 'ann',
        key: 'k',
        requestDigest: 'd',
        status: 201,
        body: '{}',
        createdAt: 50,
      };
      await access.keepIdempotentAnswer(answer);
      await access.keepIdempotentAnswer({ ...answer, key: 'other', createdAt: 49 });
      await expect(access.keepIdempotentAnswer({ ...answer, body: '!' })).rejects.toMatchObject({
        code: 'conflict',
      });

      expect(await access.pruneIdempotentAnswers(50)).toBe(1);
      expect(await access.idempotentAnswer('ann', 'k')).toEqual(answer);
      expect(await access.idempotentAnswer('ann', 'other')).toBeUndefined();
    });
  });

/** How many of ten uses at the same moment, 100, succeed. */
async function usesOf({ store }: World, token: Partial<EnrolmentTokenRow>): Promise<number> {
  await store.access.insertEnrolmentToken(enrolmentToken(token));
  const uses = Array.from({ length: 10 }, () => store.access.useEnrolmentToken('token', 100));
  return (await Promise.all(uses)).filter(Boolean).length;
}
