import { RestoreRequest } from '../../shared/api/sync.ts';
import { RunAnswer } from '../../shared/api/tasks.ts';
import { idempotencyOf } from './idempotency.ts';
import type { BodyTexts } from './json-body.ts';
import { OrganizationPath } from './organization-path.ts';
import { ownDevice } from './own-device.ts';
import { type Route, route } from './route.ts';

/** All files of one configuration, in base64. */
const maxBodyBytes = 32 * 1024 * 1024;

/** Whoever restores sends what nobody here can read: only an admin may. */
export const restoreRoutes = (bodyTexts: BodyTexts): Route[] => [
  route({
    method: 'POST',
    path: '/api/v1/organizations/:organization/restores',
    role: 'admin',
    tag: 'configuration',
    summary:
      'Send files of an archive to a device, encrypted to it, as one SYNC. Honours Idempotency-Key for 24 hours',
    params: OrganizationPath,
    body: RestoreRequest,
    answer: RunAnswer,
    maxBodyBytes,
    errors: [
      'unresolved_targets',
      'task_type_not_supported',
      'invalid_parameters',
      'idempotency_mismatch',
      'conflict',
      'disk_full',
    ],
    handle: async (call) => {
      const { parts, actor, principal, body, reply } = call;
      const device = await ownDevice({ ...call, params: { ...call.params, device: body.device } });
      const idempotency = idempotencyOf(call, bodyTexts);
      const { answer, replayed } = await parts.configuration.restore({
        actor,
        organization: principal.organization,
        request: body,
        device,
        ...(idempotency && { idempotency }),
      });
      if (replayed) reply.header('idempotency-replayed', 'true');
      return answer;
    },
  }),
];
