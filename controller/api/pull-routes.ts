import { PullRequest } from '../../shared/api/configs.ts';
import { RunAnswer } from '../../shared/api/tasks.ts';
import { backupConfigOf } from '../content/backup-configs.ts';
import { idempotencyOf } from './idempotency.ts';
import type { BodyTexts } from './json-body.ts';
import { OrganizationPath } from './organization-path.ts';
import { type Route, route } from './route.ts';
import { runRequestOf } from '../tasks/run-request.ts';

export const pullRoutes = (bodyTexts: BodyTexts): Route[] => [
  route({
    method: 'POST',
    path: '/api/v1/organizations/:organization/pull',
    role: 'operator',
    tag: 'configuration',
    summary: 'Read the configuration of devices. Honours Idempotency-Key for 24 hours',
    params: OrganizationPath,
    body: PullRequest,
    answer: RunAnswer,
    errors: ['unresolved_targets', 'invalid_parameters', 'idempotency_mismatch'],
    handle: async (call) => {
      const { parts, actor, principal, body, reply } = call;
      const { recipients } = await backupConfigOf(parts.store, principal.organization.id);
      const payload = { recipients, ...(body.units && { units: body.units }) };
      const idempotency = idempotencyOf(call, bodyTexts);
      const { answer, replayed } = await parts.core.submit({
        actor,
        organization: principal.organization,
        request: runRequestOf('PULL', body, payload),
        trigger: body.scheduled_at === undefined ? 'manual' : 'at',
        ...(idempotency && { idempotency }),
      });
      if (replayed) reply.header('idempotency-replayed', 'true');
      return answer;
    },
  }),
];
