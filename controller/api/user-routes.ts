import { z } from 'zod';
import {
  Account,
  AccountList,
  AccountQuery,
  AccountWithPassword,
  CreateAccount,
  ResetPassword,
  SetRole,
} from '../../shared/api/accounts.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { AccountMade } from '../access/accounts.ts';
import type { MemberRow } from '../store/accounts.ts';
import { listPage, pagingOf } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Route, route } from './route.ts';
import { shownOrNull } from './show-time.ts';

const root = '/api/v1/organizations/:organization/accounts';
const tag = 'accounts';
const role = 'admin';
const AccountPath = OrganizationPath.extend({ email: z.string().max(254) });

const list = route({
  method: 'GET',
  path: root,
  role,
  tag,
  summary: 'List who is in the organization',
  params: OrganizationPath,
  query: AccountQuery,
  answer: AccountList,
  handle: async ({ parts, principal, query }) =>
    listPage(await parts.store.accounts.list(principal.organization.id, pagingOf(query)), query, showAccount),
});

const create = route({
  method: 'POST',
  path: root,
  role,
  tag,
  summary: 'Add somebody; a password that the controller makes is shown only now',
  params: OrganizationPath,
  body: CreateAccount,
  answer: AccountWithPassword,
  errors: ['name_taken', 'conflict'],
  handle: async ({ parts, principal, actor, body }) => {
    const wish = { ...body, name: body.name ?? body.email };
    return showMade(await parts.core.access.accounts.add(actor, principal.organization, wish));
  },
});

const describe = route({
  method: 'GET',
  path: `${root}/:email`,
  role,
  tag,
  summary: 'Describe one account',
  params: AccountPath,
  answer: Account,
  handle: async ({ parts, principal, params }) =>
    showAccount(await parts.core.access.accounts.get(principal.organization.id, params.email)),
});

const setRole = route({
  method: 'PUT',
  path: `${root}/:email/role`,
  role,
  tag,
  summary: 'Change what somebody may do; the last admin stays one',
  params: AccountPath,
  body: SetRole,
  answer: Account,
  errors: ['conflict'],
  handle: async ({ parts, actor, params, body }) =>
    showAccount(await parts.core.access.accounts.setRole(actor, params.email, body.role)),
});

const disable = route({
  method: 'POST',
  path: `${root}/:email/disable`,
  role,
  tag,
  summary: 'Let somebody in no more; their sessions and tokens end at once, for good',
  params: AccountPath,
  answer: Account,
  errors: ['conflict'],
  handle: async ({ parts, actor, params }) =>
    showAccount(await parts.core.access.accounts.disable(actor, params.email)),
});

const enable = route({
  method: 'POST',
  path: `${root}/:email/enable`,
  role,
  tag,
  summary: 'Let somebody in again',
  params: AccountPath,
  answer: Account,
  handle: async ({ parts, actor, params }) =>
    showAccount(await parts.core.access.accounts.enable(actor, params.email)),
});

const resetPassword = route({
  method: 'PUT',
  path: `${root}/:email/password`,
  role,
  tag,
  summary: 'Give somebody another password, which ends their sessions; one that is made is shown only now',
  params: AccountPath,
  body: ResetPassword,
  answer: AccountWithPassword,
  errors: ['conflict'],
  handle: async ({ parts, actor, params, body }) =>
    showMade(await parts.core.access.accounts.resetPassword(actor, params.email, body.password)),
});

const unlink = route({
  method: 'DELETE',
  path: `${root}/:email/identities`,
  role,
  tag,
  summary: 'Forget who somebody is at the identity provider: the next identity with this e-mail is linked',
  params: AccountPath,
  errors: ['conflict'],
  handle: ({ parts, actor, params }) => parts.core.access.accounts.unlink(actor, params.email),
});

const remove = route({
  method: 'DELETE',
  path: `${root}/:email`,
  role,
  tag,
  summary: 'Remove an account with its sessions and tokens; the last admin stays',
  params: AccountPath,
  errors: ['conflict'],
  handle: ({ parts, actor, params }) => parts.core.access.accounts.remove(actor, params.email),
});

export const userRoutes: Route[] = [
  list,
  create,
  describe,
  setRole,
  disable,
  enable,
  resetPassword,
  unlink,
  remove,
];

const showAccount = (row: MemberRow): Account => ({
  email: row.email,
  name: row.name,
  role: row.role,
  status: row.disabledAt === null ? 'ENABLED' : 'DISABLED',
  last_login: shownOrNull(row.lastLoginAt),
  created_at: rfc3339(row.createdAt),
  updated_at: rfc3339(row.updatedAt ?? row.createdAt),
});

const showMade = ({ account, password }: AccountMade): AccountWithPassword => ({
  ...showAccount(account),
  ...(password !== undefined && { password }),
});
