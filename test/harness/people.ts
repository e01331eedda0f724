import { Passwords } from '../../controller/access/passwords.ts';
import type { SessionTokens } from '../../shared/api/accounts.ts';
import type { Role } from '../../shared/api/common.ts';
import type { ApiUnderTest, Member } from './api.ts';

export const goodPassword = 'correct horse battery';

/** Gives an account a password, as it is stored. */
export async function givePassword(
  api: ApiUnderTest,
  { account }: Member,
  password = goodPassword,
): Promise<void> {
  await api.store.logins.setPassword(account.email, await new Passwords().hash(password), Date.now());
}

/** Logs in over the API. */
export async function logIn(
  api: ApiUnderTest,
  email: string,
  password = goodPassword,
): Promise<SessionTokens> {
  const answer = await api.call('POST', '/api/auth/login', { as: null, body: { email, password } });
  if (answer.status !== 200) throw new Error(`not logged in: ${answer.text}`);
  return answer.body as SessionTokens;
}

/** Somebody who logged in: their token is the access token of a session. */
export async function personLoggedIn(
  api: ApiUnderTest,
  role: Role,
): Promise<Member & { session: SessionTokens }> {
  const member = await api.member(role);
  await givePassword(api, member);
  const session = await logIn(api, member.account.email);
  return { ...member, token: session.access_token, session };
}
