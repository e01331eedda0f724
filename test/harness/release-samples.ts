import type { ApiUnderTest } from './api.ts';
import { signRelease } from './signed-release.ts';

interface Sample {
  values?: Record<string, string>;
  query?: string;
  body?: object;
  headers?: Record<string, string>;
}

let count = 0;

/** A request to a route of releases that would succeed on one made for it alone; undefined for all other routes. */
export async function releaseSample(
  api: ApiUnderTest,
  { method, path }: { method: string; path: string },
  name: string,
): Promise<Sample | undefined> {
  const isInstall = path.endsWith('/plugin-install');
  if (!isInstall && !/\/releases(\/|$)/.test(path)) return undefined;
  if (method === 'GET') return {};
  count += 1;
  const version = `1.0.${count}`;
  // What is sent is the JSON text of the body: that is what is signed.
  const body = { archive: name };
  const query = `signature=${encodeURIComponent(Buffer.from(signRelease(JSON.stringify(body), { version })).toString('base64'))}`;
  const headers = { 'content-type': 'application/octet-stream' };
  if (path.endsWith('/releases')) return { query, body, headers };
  await api.call('POST', `/api/v1/organizations/default/releases?${query}`, { body, headers });
  if (!isInstall) return { values: { version }, body: {} };
  await api.device(name);
  return { body: { targets: { devices: [name] }, version } };
}
