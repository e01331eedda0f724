import type { ApiUnderTest } from './api.ts';

interface Sample {
  values?: Record<string, string>;
  body?: object;
}

/** A request to a route of webhooks that would succeed on things made for it alone; undefined for all other routes. */
export async function webhookSample(
  api: ApiUnderTest,
  { method, path }: { method: string; path: string },
  name: string,
): Promise<Sample | undefined> {
  if (!/\/webhooks(\/|$)/.test(path)) return undefined;
  // There are at most fifty.
  const others = await api.store.webhooks.list(api.admin.organization.id, { page: 1, perPage: 50 });
  for (const { id } of others.items) await api.store.webhooks.remove(id);
  const url = 'http://127.0.0.1:9/nobody-listens';
  if (!path.includes(':webhook')) return method === 'POST' ? { body: { url, name } } : {};
  await api.call('POST', '/api/v1/organizations/default/webhooks', { body: { url, name } });
  const values = { webhook: name };
  if (path.endsWith('/redeliver')) return { values, body: { failed: true } };
  if (method === 'PATCH') return { values, body: { events: ['task.*'] } };
  return { values, ...(method === 'POST' && { body: {} }) };
}
