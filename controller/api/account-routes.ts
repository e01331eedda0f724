import { z } from 'zod';
import {
  AccessTokenList,
  CreateAccessToken,
  CreatedAccessToken,
  Me,
  TokenQuery,
} from '../../shared/api/access.ts';
import { listPage, pagingOf } from './list-query.ts';
import { type Call, type Route, route } from './route.ts';
import { showAccessToken } from './show-access.ts';
import { expiryOf } from './token-expiry.ts';

const tag = 'account';

const me = route({
  method: 'GET',
  path: '/api/v1/auth/me',
  role: 'viewer',
  tag,
  summary: 'Who the token belongs to',
  answer: Me,
  handle: showMe,
});

const list = route({
  method: 'GET',
  path: '/api/v1/auth/tokens',
  role: 'viewer',
  tag,
  summary: 'List your personal access tokens',
  query: TokenQuery,
  answer: AccessTokenList,
  handle: async ({ parts, principal, query }) => {
    const page = await parts.store.access.accessTokens(principal.account.id, pagingOf(query));
    return listPage(page, query, (row) => showAccessToken(row, principal.organization, parts.clock.now()));
  },
});

const create = route({
  method: 'POST',
  path: '/api/v1/auth/tokens',
  role: 'viewer',
  tag,
  summary: 'Make a personal access token; it is shown only now',
  body: CreateAccessToken,
  answer: CreatedAccessToken,
  errors: ['name_taken'],
  handle: async ({ parts, principal, actor, body }) => {
    const now = parts.clock.now();
    const { row, token } = await parts.core.tokens.mintAccessToken(actor, principal.account, {
      name: body.name,
      scope: body.scope,
      expiresAt: expiryOf(body.expires_in_seconds, now),
    });
    return { ...showAccessToken(row, principal.organization, now), token };
  },
});

const revoke = route({
  method: 'DELETE',
  path: '/api/v1/auth/tokens/:name',
  role: 'viewer',
  tag,
  summary: 'Revoke one of your personal access tokens',
  params: z.strictObject({ name: z.string().max(128) }),
  handle: ({ parts, principal, actor, params }) =>
    parts.core.tokens.revokeAccessToken(actor, principal.account.id, params.name),
});

export const accountRoutes: Route[] = [me, list, create, revoke];

export async function showMe({ parts, principal }: Call): Promise<Me> {
  const { account, organization, token } = principal;
  const memberships = await parts.core.access.organizations.of(principal);
  return {
    email: account.email,
    name: account.name,
    organization: organization.name,
    role: account.role,
    token: token.name,
    organizations: memberships.map((one) => ({
      name: one.organization.name,
      display_name: one.organization.displayName,
      role: one.account.role,
    })),
  };
}
