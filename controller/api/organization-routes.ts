import { z } from 'zod';
import {
  AuditList,
  AuditQuery,
  ChangeOrganization,
  CreateOrganization,
  Organization,
  OrganizationList,
} from '../../shared/api/access.ts';
import { PageQuery } from '../../shared/api/common.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { Principal } from '../store/access.ts';
import { listPage, pagingOf, pastFilter } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import type { ApiParts } from './parts.ts';
import { type Route, route } from './route.ts';
import { showAuditEntry } from './show-access.ts';

const tag = 'organizations';

const list = route({
  method: 'GET',
  path: '/api/v1/organizations',
  role: 'viewer',
  tag,
  summary: 'List your organizations',
  query: z.strictObject({ ...PageQuery }),
  answer: OrganizationList,
  handle: async ({ parts, principal, query }) => {
    const all = await parts.core.access.organizations.of(principal);
    const page = all.slice((query.page - 1) * query.per_page, query.page * query.per_page);
    const items = await Promise.all(page.map((one) => showOrganization(parts, one)));
    return listPage({ items, total: all.length }, query, (item) => item);
  },
});

const describe = route({
  method: 'GET',
  path: '/api/v1/organizations/:organization',
  role: 'viewer',
  tag,
  summary: 'Describe an organization',
  params: OrganizationPath,
  answer: Organization,
  handle: async ({ parts, principal }) => showOrganization(parts, principal),
});

const create = route({
  method: 'POST',
  path: '/api/v1/organizations',
  role: 'admin',
  home: true,
  tag,
  summary: 'Make an organization, and be its first admin',
  body: CreateOrganization,
  answer: Organization,
  errors: ['name_taken', 'conflict'],
  handle: async ({ parts, actor, principal, body, reply }) => {
    const wish = { name: body.name, displayName: body.display_name ?? body.name };
    const made = await parts.core.access.organizations.create(actor, principal, wish);
    reply.code(201);
    return showOrganization(parts, made);
  },
});

const change = route({
  method: 'PATCH',
  path: '/api/v1/organizations/:organization',
  role: 'admin',
  tag,
  summary: 'Rename an organization; what is absent stays',
  params: OrganizationPath,
  body: ChangeOrganization,
  answer: Organization,
  errors: ['name_taken', 'conflict'],
  handle: async ({ parts, actor, principal, body }) => {
    const wish = { name: body.name, displayName: body.display_name };
    return showOrganization(parts, await parts.core.access.organizations.change(actor, principal, wish));
  },
});

const close = route({
  method: 'DELETE',
  path: '/api/v1/organizations/:organization',
  role: 'admin',
  tag,
  summary: 'Delete an organization without devices: nobody is in it any more, and its name is free',
  params: OrganizationPath,
  errors: ['conflict'],
  handle: ({ parts, actor, principal }) =>
    parts.core.access.organizations.close(actor, principal.organization),
});

const audit = route({
  method: 'GET',
  path: '/api/v1/organizations/:organization/audit',
  role: 'admin',
  tag,
  summary: 'Who changed what, newest first',
  params: OrganizationPath,
  query: AuditQuery,
  answer: AuditList,
  handle: async ({ parts, principal, query }) => {
    const { actor, action, target, search } = query;
    const now = parts.clock.now();
    const createdAfter = pastFilter('created_after', query.created_after, now);
    const createdBefore = pastFilter('created_before', query.created_before, now);
    const filter = {
      organizationId: principal.organization.id,
      ...(actor !== undefined && { actor }),
      ...(action !== undefined && { action }),
      ...(target !== undefined && { target }),
      ...(search !== undefined && { search }),
      ...(createdAfter !== undefined && { createdAfter }),
      ...(createdBefore !== undefined && { createdBefore }),
    };
    return listPage(await parts.store.audit.list(filter, pagingOf(query)), query, showAuditEntry);
  },
});

export const organizationRoutes: Route[] = [list, describe, create, change, close, audit];

async function showOrganization(
  parts: ApiParts,
  { organization, account }: Pick<Principal, 'organization' | 'account'>,
): Promise<Organization> {
  return {
    id: organization.id,
    name: organization.name,
    display_name: organization.displayName,
    status: 'ENABLED',
    role: account.role,
    device_count: await parts.store.devices.count(organization.id),
    created_at: rfc3339(organization.createdAt),
  };
}
