import type { StoreTables } from '../store/store.ts';

/** Who has no account left has no password and no identity here either. */
export async function forgetIfGone(
  { accounts, logins, identities }: StoreTables,
  email: string,
): Promise<void> {
  if ((await accounts.memberships(email)).length > 0) return;
  await logins.forgetPassword(email);
  await identities.forget(email);
}
