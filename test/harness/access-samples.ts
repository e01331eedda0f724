import { randomUUID } from 'node:crypto';
import type { Route } from '../../controller/api/route.ts';
import type { ApiUnderTest, Member } from './api.ts';
import { givePassword, goodPassword, personLoggedIn } from './people.ts';

/** What a request to a route of accounts and sessions needs to succeed; undefined for other routes. */
export async function accessSample(
  api: ApiUnderTest,
  { path, method }: Route,
  caller: Member,
): Promise<{ values?: Record<string, string>; body?: object } | undefined> {
  if (path === '/api/auth/login') {
    const member = await api.member('viewer');
    await givePassword(api, member);
    return { body: { email: member.account.email, password: goodPassword } };
  }
  if (/^\/api\/auth\/(refresh|logout)$/.test(path)) {
    const { session } = await personLoggedIn(api, 'viewer');
    return { body: { refresh_token: session.refresh_token } };
  }
  if (path === '/api/auth/password') {
    await givePassword(api, caller);
    return { body: { current: goodPassword, new: `${goodPassword} 2` } };
  }
  if (path === '/api/v1/organizations' && method === 'POST') return { body: { name: `org-${randomUUID()}` } };
  if (path.endsWith('/organizations/:organization')) {
    return method === 'PATCH' ? { body: { display_name: 'Default' } } : {};
  }
  if (path.endsWith('/accounts') && method === 'POST') {
    return { body: { email: `${randomUUID()}@example.org`, password: goodPassword } };
  }
  if (path.includes('/accounts/:email')) {
    const { account } = await api.member('viewer');
    const values = { email: account.email };
    if (path.endsWith('/enable')) await api.store.accounts.setDisabled(account.id, 1, 1);
    if (path.endsWith('/identities')) {
      const { email } = account;
      await api.store.identities.link({
        issuer: 'https://id',
        subject: email,
        email,
        linkedAt: 1,
        usedAt: 1,
      });
    }
    if (path.endsWith('/role')) return { values, body: { role: 'operator' } };
    return path.endsWith('/password') ? { values, body: { password: goodPassword } } : { values };
  }
  return undefined;
}
