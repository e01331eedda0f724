import type { Route } from '../../controller/api/route.ts';
import type { ApiUnderTest } from './api.ts';
import { givePassword, goodPassword, personLoggedIn } from './people.ts';

/** What a request to a route of accounts and sessions needs to succeed; undefined for other routes. */
export async function accessSample(
  api: ApiUnderTest,
  { path }: Route,
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
  return undefined;
}
