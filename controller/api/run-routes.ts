import { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import { CancelRun, CancelRunAnswer, RetryRun, Run, RunList, RunQuery } from '../../shared/api/runs.ts';
import { RunAnswer } from '../../shared/api/tasks.ts';
import type { PageOf } from '../store/access.ts';
import type { RunRow } from '../store/runs.ts';
import { listPage, pagingOf, pastFilter } from './list-query.ts';
import { type Call, type Route, route } from './route.ts';
import { showAgentTask } from './show-agent-task.ts';
import { showRun } from './show-run.ts';

const RunPath = z.strictObject({ run: z.string().max(64).describe('id') });
const tag = 'runs';
/** Devices named in an answer as not having done it; a fleet may be larger than what anybody reads. */
const maxNotRun = 1000;

const list = route({
  method: 'GET',
  path: '/api/v1/runs',
  role: 'viewer',
  tag,
  summary: 'List runs, newest first',
  query: RunQuery,
  answer: RunList,
  handle: async (call) => listPage(await findRuns(call), call.query, (row) => showRun(row)),
});

function findRuns({ parts, principal, query }: Call<unknown, RunQuery>): Promise<PageOf<RunRow>> {
  const now = parts.clock.now();
  const { type, status, trigger, schedule } = query;
  const createdAfter = pastFilter('created_after', query.created_after, now);
  const createdBefore = pastFilter('created_before', query.created_before, now);
  const filter = {
    organizationId: principal.organization.id,
    ...(type && { type }),
    ...(status && { status }),
    ...(trigger && { trigger }),
    ...(schedule !== undefined && { schedule }),
    ...(createdAfter !== undefined && { createdAfter }),
    ...(createdBefore !== undefined && { createdBefore }),
  };
  return parts.store.runs.list(filter, pagingOf(query));
}

const describe = route({
  method: 'GET',
  path: '/api/v1/runs/:run',
  role: 'viewer',
  tag,
  summary: 'Describe one run, with every device that did not do it and why',
  params: RunPath,
  answer: Run,
  handle: async ({ parts, principal, params }) => {
    const run = await parts.store.runs.get(principal.organization.id, params.run);
    if (run === undefined) throw new AppError('not_found', `Run ${params.run} does not exist`);
    const shown = showRun(run, await parts.store.runs.notRun(run.id, maxNotRun));
    if (run.type !== 'AGENT_TASK') return shown;
    const { assistant } = parts.store;
    const agentTask = await assistant.get(run.id);
    return {
      ...shown,
      agent_task: agentTask ? showAgentTask(agentTask, await assistant.proposals(run.id)) : null,
    };
  },
});

const cancel = (method: 'PUT' | 'POST') =>
  route({
    method,
    path: '/api/v1/runs/:run/cancel',
    role: 'operator',
    tag,
    summary: 'Cancel what waits of a run; with `request` ask the devices to stop what runs',
    params: RunPath,
    body: CancelRun,
    answer: CancelRunAnswer,
    handle: ({ parts, actor, params, body }) => parts.core.cancelRun(actor, params.run, body),
  });

const retry = route({
  method: 'POST',
  path: '/api/v1/runs/:run/retry',
  role: 'operator',
  tag,
  summary: 'Make a new run over the devices of this one that did not do it',
  params: RunPath,
  body: RetryRun,
  answer: RunAnswer,
  errors: ['conflict', 'unresolved_targets', 'not_renderable'],
  handle: ({ parts, actor, principal, params, body }) =>
    parts.core.retryRun(
      { actor, organization: principal.organization },
      { run: params.run, only: body.only },
    ),
});

export const runRoutes: Route[] = [list, describe, cancel('PUT'), cancel('POST'), retry];
