import type { ApiUnderTest } from './api.ts';

interface Sample {
  values?: Record<string, string>;
  query?: string;
  body?: object;
}

/** A request to a route of schedules, or a retry, that would succeed on things made for it alone; undefined for all other routes. */
export async function scheduleSample(
  api: ApiUnderTest,
  { method, path }: { method: string; path: string },
  name: string,
): Promise<Sample | undefined> {
  if (path === '/api/v1/runs/:run/retry') return cancelledRun(api, `${name}-again`);
  if (!/\/(schedules|scheduled-tasks)(\/|$)/.test(path)) return undefined;
  if (path.endsWith('/schedules/preview')) return { query: 'cron=0+2+*+*+*' };
  const request = { type: 'PING', targets: { devices: [name] } };
  if (method === 'POST' && path.endsWith('/schedules')) return { body: { name, cron: '0 2 * * *' } };

  await api.device(name);
  const made = await api.call('POST', '/api/v1/organizations/default/schedules', {
    body: { name, cron: '0 2 * * *', scheduled_tasks: [{ request }] },
  });
  const [task] = made.body['scheduled_tasks'] as { code: string }[];
  const values = { schedule: name, code: task?.code ?? '' };
  if (method === 'POST' && path.endsWith('/scheduled-tasks')) return { body: { schedule: name, request } };
  if (method === 'PATCH' || method === 'PUT') return { values, body: { enabled: false } };
  return { values, ...(method === 'POST' && { body: {} }) };
}

async function cancelledRun(api: ApiUnderTest, name: string): Promise<Sample> {
  await api.device(name);
  const { run } = await api.submit([name]);
  await api.call('POST', `/api/v1/runs/${run}/cancel`, { body: {} });
  return { values: { run }, body: {} };
}
