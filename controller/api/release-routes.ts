import { Readable } from 'node:stream';
import { z } from 'zod';
import { agentPackage } from '../../shared/release.ts';
import {
  AddRelease,
  ChangeRelease,
  PluginInstallRequest,
  Release,
  ReleaseList,
  ReleaseQuery,
  ReleasesOfVersion,
} from '../../shared/api/releases.ts';
import { RunAnswer } from '../../shared/api/tasks.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { ReleaseRow } from '../store/releases.ts';
import { pluginInstallRequest } from '../tasks/plugin-install-request.ts';
import { idempotencyOf } from './idempotency.ts';
import type { BodyTexts } from './json-body.ts';
import { listPage, pagingOf } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Route, route } from './route.ts';
import { giveUpIdle } from './slow-requests.ts';

const home = '/api/v1/organizations/:organization';
const root = `${home}/releases`;
const tag = 'releases';
const VersionPath = OrganizationPath.extend({
  version: z.string().max(64).describe('version of the release'),
});

const list = route({
  method: 'GET',
  path: root,
  role: 'operator',
  tag,
  summary: 'List releases of the agent and of plugins, newest first',
  params: OrganizationPath,
  query: ReleaseQuery,
  answer: ReleaseList,
  handle: async ({ parts, principal, query }) =>
    listPage(await parts.store.releases.list(principal.organization.id, pagingOf(query)), query, showRelease),
});

const add = route({
  method: 'POST',
  path: root,
  role: 'admin',
  tag,
  summary: 'Keep a release of the agent or of a plugin that a trusted key signed; the body is the archive',
  params: OrganizationPath,
  query: AddRelease,
  consumes: 'application/octet-stream',
  answer: Release,
  status: 201,
  errors: ['name_taken', 'conflict', 'digest_mismatch', 'unsupported_media_type', 'disk_full'],
  handle: async ({ parts, actor, query, request }) => {
    const signature = Buffer.from(query.signature, 'base64').toString('utf8');
    const stream = request.body instanceof Readable ? request.body : Readable.from([]);
    const length = request.headers['content-length'];
    giveUpIdle(request);
    const bytes = length === undefined ? undefined : Number(length);
    return showRelease(await parts.content.releases.add(actor, signature, { stream, bytes }));
  },
});

const promote = route({
  method: 'POST',
  path: `${root}/:version/promote`,
  role: 'admin',
  tag,
  summary: 'Make a release the one that is installed when no version is named',
  params: VersionPath,
  body: ChangeRelease,
  answer: ReleasesOfVersion,
  errors: ['conflict'],
  handle: async ({ parts, actor, params, body: { name = agentPackage } }) => ({
    items: (await parts.content.releases.promote(actor, name, params.version)).map(showRelease),
  }),
});

const yank = route({
  method: 'POST',
  path: `${root}/:version/yank`,
  role: 'admin',
  tag,
  summary: 'Let nobody install a release any more; devices that run it go on',
  params: VersionPath,
  body: ChangeRelease,
  answer: ReleasesOfVersion,
  handle: async ({ parts, actor, params, body: { name = agentPackage } }) => ({
    items: (await parts.content.releases.yank(actor, name, params.version)).map(showRelease),
  }),
});

const install = (bodyTexts: BodyTexts) =>
  route({
    method: 'POST',
    path: `${home}/plugin-install`,
    role: 'operator',
    tag,
    summary:
      'Install a release of the agent or of a plugin on devices, or remove a plugin. Honours Idempotency-Key for 24 hours',
    params: OrganizationPath,
    body: PluginInstallRequest,
    answer: RunAnswer,
    errors: [
      'conflict',
      'unresolved_targets',
      'invalid_parameters',
      'exclusive_options',
      'idempotency_mismatch',
    ],
    handle: async (call) => {
      const { parts, actor, principal, body, reply } = call;
      const { organization } = principal;
      const idempotency = idempotencyOf(call, bodyTexts);
      const { answer, replayed } = await parts.core.submit({
        actor,
        organization,
        request: await pluginInstallRequest(parts.content.releases, organization.id, body),
        trigger: body.scheduled_at === undefined ? 'manual' : 'at',
        ...(idempotency && { idempotency }),
      });
      if (replayed) reply.header('idempotency-replayed', 'true');
      return answer;
    },
  });

export const releaseRoutes = (bodyTexts: BodyTexts): Route[] => [
  list,
  add,
  promote,
  yank,
  install(bodyTexts),
];

function showRelease(row: ReleaseRow): z.output<typeof Release> {
  const { name, version, platform, floor, bytes, sha256, promotedAt, yankedAt } = row;
  const kept = promotedAt === null ? 'available' : 'promoted';
  return {
    ...{ name, version, platform, floor, bytes, sha256 },
    key_id: row.keyId,
    status: yankedAt === null ? kept : 'yanked',
    created_by: row.createdBy,
    created_at: rfc3339(row.createdAt),
    promoted_at: promotedAt === null ? null : rfc3339(promotedAt),
    yanked_at: yankedAt === null ? null : rfc3339(yankedAt),
  };
}
