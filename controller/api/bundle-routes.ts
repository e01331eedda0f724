import { z } from 'zod';
import { Bundle, BundleList, BundleName, BundleQuery, PutBundle } from '../../shared/api/bundles.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { WholeBundle } from '../content/bundles.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { BundleRow } from '../store/bundles.ts';
import { listPage, pagingOf } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Route, route } from './route.ts';

const root = '/api/v1/organizations/:organization/bundles';
const tag = 'configuration';
const BundlePath = OrganizationPath.extend({ bundle: z.string().max(64).describe('name') });
const RevisionQuery = z.strictObject({
  revision: z.coerce.number().int().min(1).optional().describe('an earlier one; the newest 100 are kept'),
});
/** A bundle travels as one body. */
const maxBodyBytes = 16 * 1024 * 1024;

const list = route({
  method: 'GET',
  path: root,
  role: 'viewer',
  tag,
  summary: 'List bundles by name, without their files',
  params: OrganizationPath,
  query: BundleQuery,
  answer: BundleList,
  handle: async ({ parts, principal: { organization }, query }) =>
    listPage(await parts.store.bundles.list(organization.id, pagingOf(query)), query, (row) =>
      showHead(row, organization),
    ),
});

const describe = route({
  method: 'GET',
  path: `${root}/:bundle`,
  role: 'viewer',
  tag,
  summary: 'Read one bundle with its files, as it is or as it was',
  params: BundlePath,
  query: RevisionQuery,
  answer: Bundle,
  handle: async ({ parts, principal: { organization }, params, query }) =>
    show(await parts.configuration.bundles.get(organization.id, params.bundle, query.revision), organization),
});

const put = route({
  method: 'PUT',
  path: `${root}/:bundle`,
  role: 'operator',
  tag,
  summary: 'Write a whole bundle; a change makes a new revision. Nothing is sent to devices before a sync',
  params: OrganizationPath.extend({ bundle: BundleName }),
  body: PutBundle,
  answer: Bundle,
  maxBodyBytes,
  errors: ['invalid_parameters', 'conflict'],
  handle: async ({ parts, actor, principal: { organization }, params, body }) =>
    show(await parts.configuration.bundles.put(actor, params.bundle, body), organization),
});

const remove = route({
  method: 'DELETE',
  path: `${root}/:bundle`,
  role: 'operator',
  tag,
  summary: 'Delete a bundle with all its revisions; devices keep its files until their next sync',
  params: BundlePath,
  handle: async ({ parts, actor, params }) => {
    await parts.configuration.bundles.remove(actor, params.bundle);
  },
});

export const bundleRoutes: Route[] = [list, describe, put, remove];

const showHead = (row: BundleRow, organization: OrganizationRow): Bundle => ({
  name: row.name,
  organization: organization.name,
  revision: row.revision,
  profile: row.profile,
  description: row.description,
  targets: row.targets,
  file_count: row.fileCount,
  updated_by: row.updatedBy,
  created_at: rfc3339(row.createdAt),
  updated_at: rfc3339(row.updatedAt),
});

const show = ({ row, files }: WholeBundle, organization: OrganizationRow): Bundle => ({
  ...showHead(row, organization),
  files,
});
