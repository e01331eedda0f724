import { z } from 'zod';
import {
  CreateEnrolmentToken,
  CreatedEnrolmentToken,
  EnrolmentTokenList,
  TokenQuery,
} from '../../shared/api/access.ts';
import { EnrolAnswer, EnrolRequest } from '../../shared/protocol/enrol.ts';
import { listPage, pagingOf } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { openRoute, type Route, route } from './route.ts';
import { showEnrolmentToken } from './show-access.ts';
import { expiryOf } from './token-expiry.ts';

const root = '/api/v1/organizations/:organization/enrolment-tokens';
const tag = 'enrolment';

const list = route({
  method: 'GET',
  path: root,
  role: 'admin',
  tag,
  summary: 'List enrolment tokens',
  params: OrganizationPath,
  query: TokenQuery,
  answer: EnrolmentTokenList,
  handle: async ({ parts, principal, query }) => {
    const page = await parts.store.access.enrolmentTokens(principal.organization.id, pagingOf(query));
    return listPage(page, query, (row) => showEnrolmentToken(row, parts.clock.now()));
  },
});

const create = route({
  method: 'POST',
  path: root,
  role: 'admin',
  tag,
  summary: 'Make an enrolment token; the text to carry to the device is shown only now',
  params: OrganizationPath,
  body: CreateEnrolmentToken,
  answer: CreatedEnrolmentToken,
  errors: ['name_taken'],
  handle: async ({ parts, principal, actor, body }) => {
    const now = parts.clock.now();
    const { row, ticket } = await parts.core.tokens.mintEnrolmentToken(actor, principal.organization, {
      name: body.name,
      maxUses: body.max_uses,
      autoApprove: body.auto_approve,
      labels: body.labels,
      expiresAt: expiryOf(body.expires_in_seconds, now),
    });
    return { ...showEnrolmentToken(row, now), token: ticket };
  },
});

const revoke = route({
  method: 'DELETE',
  path: `${root}/:name`,
  role: 'admin',
  tag,
  summary: 'Revoke an enrolment token',
  params: OrganizationPath.extend({ name: z.string().max(128) }),
  handle: ({ parts, actor, params }) => parts.core.tokens.revokeEnrolmentToken(actor, params.name),
});

const enrol = openRoute({
  method: 'POST',
  path: '/api/v1/enrol',
  role: 'public',
  limit: 'enrolment',
  tag,
  summary: 'A device asks to join; the secret of its ticket is the credential',
  body: EnrolRequest,
  answer: EnrolAnswer,
  errors: ['not_authenticated', 'token_expired', 'forbidden', 'name_taken'],
  handle: ({ parts, request, body }) =>
    parts.core.devices.enrol(body, { ipAddress: request.ip, requestId: request.id }),
});

export const enrolmentRoutes: Route[] = [list, create, revoke, enrol];
