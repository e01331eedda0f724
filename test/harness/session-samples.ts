import type { ApiUnderTest } from './api.ts';

interface Sample {
  values?: Record<string, string>;
  body?: object;
}

/** A request to a route of remote sessions that would succeed, on a session made for it alone; undefined for all other routes. */
export async function sessionSample(
  api: ApiUnderTest,
  { path }: { path: string },
  name: string,
): Promise<Sample | undefined> {
  if (!/\/sessions\/:session|\/connect-status$/.test(path)) return undefined;
  await api.device(`far-${name}`);
  const opened = await api.call('POST', `/api/v1/organizations/default/devices/far-${name}/connect`, {
    body: {},
  });
  const [session, task] = [String(opened.body['session']), String(opened.body['task'])];
  if (!path.endsWith('/recordings/:digest')) return { values: { session, task } };

  const cast = Buffer.from(`{"version": 2, "width": 80, "height": 24, "title": "${name}"}\n`);
  const digest = await api.content.blobs.keep(cast);
  await api.store.blobs.hold([{ sha256: digest, kind: 'recording', holder: task }], Date.now());
  return { values: { session, digest } };
}
