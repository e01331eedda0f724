import { AppError } from '../../shared/errors.ts';
import { EventQuery } from '../../shared/api/events.ts';
import type { z } from 'zod';
import type { EventFilter } from '../store/events.ts';
import type { EventStreams } from './event-streams.ts';
import { type Call, type Route, route } from './route.ts';

type EventCall = Call<unknown, z.output<typeof EventQuery>>;

export const eventRoutes = (streams: EventStreams): Route[] => [
  route({
    method: 'GET',
    path: '/api/v1/events',
    role: 'viewer',
    tag: 'events',
    summary: 'Stream changes as server-sent events; resumes after Last-Event-ID or `after`',
    query: EventQuery,
    produces: 'text/event-stream',
    errors: ['unavailable'],
    handle: async (call) => {
      const after = cursorOf(call);
      const filter = await filterOf(call);
      await streams.serve(call, filter, after);
    },
  }),
];

/** A browser's EventSource sends Last-Event-ID when it reconnects, so it is newer than the `after` of the address. */
function cursorOf({ request, query }: EventCall): number | undefined {
  const last = request.headers['last-event-id'];
  if (last === undefined || last === '') return query.after;
  if (typeof last !== 'string' || !/^\d{1,15}$/.test(last)) {
    throw new AppError(
      'bad_request',
      `The header Last-Event-ID is ${JSON.stringify(last)}: expected the id of an event, a whole number`,
    );
  }
  return Number(last);
}

async function filterOf({ parts, principal, query }: EventCall): Promise<EventFilter> {
  const organizationId = principal.organization.id;
  const filter: EventFilter = { organizationId };
  if (query.task !== undefined) {
    const task = await parts.store.tasks.get(organizationId, query.task);
    if (task === undefined) throw new AppError('not_found', `Task ${query.task} does not exist`);
    filter.taskId = task.id;
  }
  if (query.run !== undefined) {
    const run = await parts.store.runs.get(organizationId, query.run);
    if (run === undefined) throw new AppError('not_found', `Run ${query.run} does not exist`);
    filter.runId = run.id;
  }
  return filter;
}
