import { z } from 'zod';
import { AuditList, AuditQuery, Organization, OrganizationList } from '../../shared/api/access.ts';
import { PageQuery } from '../../shared/api/common.ts';
import { rfc3339 } from '../../shared/time.ts';
import { listPage, pagingOf, pastFilter } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Call, type Route, route } from './route.ts';
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
  // An account belongs to one organization.
  handle: async (call) => {
    const items = call.query.page === 1 ? [await showOwn(call)] : [];
    return listPage({ items, total: 1 }, call.query, (item) => item);
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
  handle: showOwn,
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
    const { actor, action, target } = query;
    const now = parts.clock.now();
    const createdAfter = pastFilter('created_after', query.created_after, now);
    const createdBefore = pastFilter('created_before', query.created_before, now);
    const filter = {
      organizationId: principal.organization.id,
      ...(actor !== undefined && { actor }),
      ...(action !== undefined && { action }),
      ...(target !== undefined && { target }),
      ...(createdAfter !== undefined && { createdAfter }),
      ...(createdBefore !== undefined && { createdBefore }),
    };
    return listPage(await parts.store.audit.list(filter, pagingOf(query)), query, showAuditEntry);
  },
});

export const organizationRoutes: Route[] = [list, describe, audit];

async function showOwn({ parts, principal: { organization, account } }: Call): Promise<Organization> {
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
