import type { ApiUnderTest } from './api.ts';

/** A request to a route of agent tasks that would succeed, on a run made for it alone; undefined for all other routes. */
export async function assistantSample(
  api: ApiUnderTest,
  { path }: { path: string },
): Promise<{ values?: Record<string, string>; body?: object } | undefined> {
  const request = { prompt: 'Which devices are offline?' };
  if (path.endsWith('/agent-tasks')) return { body: request };
  if (!path.endsWith('/transcript')) return undefined;
  const made = await api.call('POST', '/api/v1/organizations/default/agent-tasks', { body: request });
  return { values: { run: String(made.body['run']) } };
}
