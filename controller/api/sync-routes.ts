import type { z } from 'zod';
import {
  Plan,
  PlanRequest,
  ReleaseAnswer,
  ReleaseRequest,
  SyncAnswer,
  SyncRequest,
  SyncStatusList,
  SyncStatusQuery,
} from '../../shared/api/sync.ts';
import { idempotencyOf } from './idempotency.ts';
import type { BodyTexts } from './json-body.ts';
import { listPage, pagingOf } from './list-query.ts';
import { OrganizationPath } from './organization-path.ts';
import { DevicePath, ownDevice } from './own-device.ts';
import { type Call, type Route, route } from './route.ts';

const root = '/api/v1/organizations/:organization/sync';
const tag = 'configuration';

export const syncRoutes = (bodyTexts: BodyTexts): Route[] => [plan, apply(bodyTexts), status, release];

const plan = route({
  method: 'POST',
  path: `${root}/plan`,
  role: 'viewer',
  tag,
  summary: 'Show what a sync would change on each device, against what was last known of it',
  params: OrganizationPath,
  body: PlanRequest,
  answer: Plan,
  errors: ['unresolved_targets', 'task_type_not_supported', 'invalid_parameters'],
  handle: ({ parts, principal, body }) => parts.configuration.plan(principal.organization, body),
});

const apply = (bodyTexts: BodyTexts) =>
  route({
    method: 'POST',
    path: root,
    role: 'operator',
    tag,
    summary:
      'Send devices their desired configuration, each its own; devices that cannot be rendered are left out and named. Honours Idempotency-Key for 24 hours',
    params: OrganizationPath,
    body: SyncRequest,
    answer: SyncAnswer,
    errors: [
      'unresolved_targets',
      'not_renderable',
      'task_type_not_supported',
      'invalid_parameters',
      'idempotency_mismatch',
    ],
    handle: async (call) => {
      const { parts, actor, principal, body, reply } = call;
      const idempotency = idempotencyOf(call, bodyTexts);
      const { answer, replayed } = await parts.configuration.apply({
        actor,
        organization: principal.organization,
        request: body,
        ...(idempotency && { idempotency }),
      });
      if (replayed) reply.header('idempotency-replayed', 'true');
      return answer;
    },
  });

const status = route({
  method: 'GET',
  path: `${root}/status`,
  role: 'viewer',
  tag,
  summary: 'What is desired for, confirmed by, and seen on each device',
  params: OrganizationPath,
  query: SyncStatusQuery,
  answer: SyncStatusList,
  handle: async (call) => listPage(await findStatus(call), call.query, (one) => one),
});

async function findStatus({ parts, principal, query }: Call<unknown, z.output<typeof SyncStatusQuery>>) {
  const { organization } = principal;
  const ids =
    query.device === undefined
      ? undefined
      : await parts.core.devices.idsMatching(organization.id, query.device);
  if (ids?.length === 0) return { items: [], total: 0 };
  const filter = { ...(ids && { ids }), ...(query.drift_status && { driftStatus: query.drift_status }) };
  return parts.configuration.status(organization, { filter, paging: pagingOf(query) });
}

const release = route({
  method: 'POST',
  path: '/api/v1/organizations/:organization/devices/:device/sync/release',
  role: 'operator',
  tag,
  summary: 'Allow contents that were rolled back on a device to be sent to it again',
  params: DevicePath,
  body: ReleaseRequest,
  answer: ReleaseAnswer,
  handle: async (call) => {
    const device = await ownDevice(call);
    const { content } = call.body;
    const released = await call.parts.configuration.release(call.actor, { device, content });
    return { device_name: device.name, released };
  },
});
