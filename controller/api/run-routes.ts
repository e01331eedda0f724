import { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import { CancelRun, CancelRunAnswer, Run, RunList, RunQuery } from '../../shared/api/runs.ts';
import { listPage, pagingOf } from './list-query.ts';
import { type Route, route } from './route.ts';
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
  handle: async ({ parts, principal, query }) =>
    listPage(await parts.store.runs.list(principal.organization.id, pagingOf(query)), query, (row) =>
      showRun(row),
    ),
});

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
    return showRun(run, await parts.store.runs.notRun(run.id, maxNotRun));
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

export const runRoutes: Route[] = [list, describe, cancel('PUT'), cancel('POST')];
