import { describe, expect } from 'vitest';
import type { AccountRow } from '../../controller/store/access.ts';
import type { LoginSessionRow } from '../../controller/store/logins.ts';
import type { Conform, World } from './world.ts';

const ann: AccountRow = {
  id: 'ann',
  organizationId: 'home',
  email: 'Ann@example.org',
  name: 'Ann',
  role: 'admin',
  createdAt: 1,
};
const untouched = { disabledAt: null, lastLoginAt: null, updatedAt: null };

const session = (values: Partial<LoginSessionRow> = {}): LoginSessionRow => ({
  id: 'session',
  accountId: 'ann',
  refreshHash: 'first',
  createdAt: 1,
  refreshedAt: 1,
  expiresAt: 100,
  endedAt: null,
  ...values,
});

export const describeAccounts = (conform: Conform) =>
  describe('accounts and sessions', () => {
    conform('a person is found by e-mail in any letter case, with all organizations', async (world) => {
      const { access, accounts } = await withAnn(world);
      await access.insertAccount({
        ...ann,
        id: 'there',
        organizationId: 'away',
        role: 'viewer',
        createdAt: 2,
      });
      const found = await accounts.memberships('ANN@example.org');
      expect(found.map(({ account, organization }) => [account.id, organization.name])).toEqual([
        ['ann', 'home'],
        ['there', 'away'],
      ]);
      expect(await accounts.byEmail('home', 'ann@EXAMPLE.org')).toEqual({ ...ann, ...untouched });
      expect(await accounts.byEmail('home', 'bob@example.org')).toBeUndefined();
    });

    conform('only admins that are enabled count as such', async (world) => {
      const { access, accounts } = await withAnn(world);
      await access.insertAccount({ ...ann, id: 'bob', email: 'bob@example.org' });
      await access.insertAccount({ ...ann, id: 'eve', email: 'eve@example.org', role: 'viewer' });
      await accounts.setDisabled('bob', 5, 5);
      expect(await accounts.enabledAdmins('home')).toBe(1);
      await accounts.setRole('eve', 'admin', 6);
      expect(await accounts.enabledAdmins('home')).toBe(2);
      expect(await accounts.enabledAdmins('away')).toBe(0);
      const { items, total } = await accounts.list('home', { page: 2, perPage: 2 });
      expect({ emails: items.map(({ email }) => email), total }).toEqual({
        emails: ['eve@example.org'],
        total: 3,
      });
    });

    conform('a password belongs to an e-mail, and is replaced and forgotten', async ({ store }) => {
      const { logins } = store;
      await logins.setPassword('Ann@example.org', 'hash 1', 1);
      await logins.setPassword('ann@example.org', 'hash 2', 2);
      expect(await logins.passwordHash('ANN@example.org')).toBe('hash 2');
      await logins.forgetPassword('Ann@Example.org');
      expect(await logins.passwordHash('ann@example.org')).toBeUndefined();
    });

    conform(
      'an identity stands for one e-mail, and an e-mail has one at each provider',
      async ({ store }) => {
        const { identities } = store;
        const ann = { issuer: 'https://id', subject: '1', email: 'Ann@example.org', linkedAt: 1, usedAt: 1 };
        await identities.link(ann);
        await expect(identities.link({ ...ann, subject: '2' })).rejects.toMatchObject({ code: 'name_taken' });
        await expect(identities.link({ ...ann, email: 'b@c' })).rejects.toMatchObject({ code: 'name_taken' });
        await identities.link({ ...ann, issuer: 'https://other' });
        await identities.used('https://id', '1', 9);
        expect(await identities.find('https://id', '1')).toEqual({
          ...ann,
          email: 'ann@example.org',
          usedAt: 9,
        });
        expect(await identities.ofEmail('ANN@example.org')).toHaveLength(2);
        expect(await identities.forget('Ann@Example.org')).toBe(2);
        expect(await identities.find('https://id', '1')).toBeUndefined();
      },
    );

    conform('an organization that is closed frees its name, and nobody is in it', async (world) => {
      const { access, accounts } = await withAnn(world);
      const away = { name: 'west', displayName: 'The West' };
      await access.renameOrganization('away', away);
      await expect(access.renameOrganization('away', { ...away, name: 'home' })).rejects.toMatchObject({
        code: 'name_taken',
      });
      expect(await access.organization('west')).toMatchObject({ id: 'away', ...away });
      expect(await access.closeOrganization('home', 9)).toEqual([ann.email]);
      expect(await accounts.memberships(ann.email)).toEqual([]);
      expect((await access.organizations()).map(({ id }) => id)).toEqual(['away']);
      expect(await access.organization('home')).toBeUndefined();
      await access.insertOrganization({ id: 'new', name: 'home', displayName: '', createdAt: 10 });
      expect((await access.organization('home'))?.id).toBe('new');
    });

    conform('a login code is taken once, by one, and an old one makes room', async ({ store }) => {
      const { identities } = store;
      const code = { hash: 'h', email: 'a@b', organization: null, challenge: 'c', expiresAt: 10 };
      await identities.insertCode(code, 1);
      const taken = await Promise.all([1, 2, 3].map(() => identities.takeCode('h')));
      expect(taken.filter((one) => one !== undefined)).toEqual([code]);
      await identities.insertCode(code, 1);
      await identities.insertCode({ ...code, hash: 'new', expiresAt: 20 }, 10);
      expect(await identities.takeCode('h')).toBeUndefined();
    });

    conform('a refresh token is good once, however many show it at once', async (world) => {
      const { logins } = await withAnn(world);
      await logins.insertSession(session(), 10);
      const next = { refreshHash: 'second', refreshedAt: 5, expiresAt: 105 };
      const shown = await Promise.all([1, 2, 3].map(() => logins.rotate('session', 'first', next)));
      expect(shown.filter(Boolean)).toHaveLength(1);
      expect((await logins.session('session'))?.session).toEqual(session(next));
      expect(await logins.endSession('session', 6)).toBe(true);
      expect(await logins.endSession('session', 7)).toBe(false);
      expect(await logins.rotate('session', 'second', next)).toBe(false);
    });

    conform('the newest sessions stay; all but one are ended; what expired is pruned', async (world) => {
      const { logins } = await withAnn(world);
      for (const at of [1, 2, 3])
        await logins.insertSession(session({ id: `s${at}`, createdAt: at, expiresAt: at * 10 }), 1);
      expect(await logins.session('s1')).toBeUndefined();
      expect(await logins.endSessions('ann', 4, 's3')).toBe(1);
      expect((await logins.session('s3'))?.session.endedAt).toBeNull();
      await logins.pruneSessions(30);
      expect(await logins.session('s2')).toBeUndefined();
      expect(await logins.session('s3')).toBeDefined();
    });

    conform('a removed account takes its tokens, sessions and answers along', async (world) => {
      const { access, accounts, logins } = await withAnn(world);
      await logins.insertSession(session(), 10);
      const answer = { accountId: 'ann', key: 'k', requestDigest: 'd', status: 200, body: '', createdAt: 1 };
      await access.keepIdempotentAnswer(answer);
      await accounts.remove('ann');
      expect(await accounts.memberships(ann.email)).toEqual([]);
      expect(await logins.session('session')).toBeUndefined();
      expect(await access.idempotentAnswer('ann', 'k')).toBeUndefined();
    });
  });

async function withAnn({ store }: World): Promise<World['store']> {
  await store.access.insertAccount(ann);
  return store;
}
