import { z } from 'zod';
import { Execution } from '../../../shared/api/task-schedules-view.ts';
import { AppError } from '../../../shared/errors.ts';
import { type Route, route } from '../route.ts';
import { findExecution } from './executions.ts';

const one = '/api/tasks/executions/:run';
const tag = 'scheduled tasks view';
const RunPath = z.strictObject({ run: z.string().max(64).describe('id of an execution') });

const describe = route({
  method: 'GET',
  path: one,
  role: 'viewer',
  tag,
  summary: 'Describe one execution, with what became of it on each device',
  params: RunPath,
  answer: Execution,
  handle: (call) => findExecution(call, call.params.run),
});

const cancel = route({
  method: 'POST',
  path: `${one}/cancel`,
  role: 'operator',
  tag,
  summary: 'Cancel what waits of an execution, and ask devices to stop what runs',
  params: RunPath,
  body: z.strictObject({}),
  answer: Execution,
  errors: ['not_cancellable'],
  handle: async (call) => {
    const { parts, actor, params } = call;
    const { id, status } = await findExecution(call, params.run);
    if (status !== 'running') {
      throw new AppError('not_cancellable', `Execution ${id} is ${status}: it has ended`);
    }
    await parts.core.cancelRun(actor, id, { request: true });
    return findExecution(call, id);
  },
});

export const executionRoutes: Route[] = [describe, cancel];
