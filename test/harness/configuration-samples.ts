import type { ApiUnderTest } from './api.ts';
import { DesiredUnderTest } from './desired.ts';

interface Sample {
  values?: Record<string, string>;
  query?: string;
  body?: object;
}

const file = { path: '/etc/motd', unit: 'files', template: 'hello' };
/** Begins as every age file does; nobody here could read more of it. */
const ciphertext = Buffer.from('age-encryption.org/v1\n-> X25519 sample\n').toString('base64');

/** A request to a route of desired configuration that would succeed, on things made for it alone; undefined for all other routes. */
export async function configurationSample(
  api: ApiUnderTest,
  { method, path }: { method: string; path: string },
  name: string,
): Promise<Sample | undefined> {
  const desired = new DesiredUnderTest(api);
  const route = `${method} ${path.replace('/api/v1/organizations/:organization', '')}`;
  const bundle = { profile: 'test', targets: { devices: [name] }, files: [file] };
  switch (route) {
    case 'PUT /bundles/:bundle':
      return { values: { bundle: name }, body: bundle };
    case 'GET /bundles/:bundle':
    case 'DELETE /bundles/:bundle':
      await desired.ok('PUT', `bundles/${name}`, bundle);
      return { values: { bundle: name } };
    case 'PUT /variables':
      return { body: { name: name.replaceAll('-', '_'), value: 1 } };
    case 'DELETE /variables':
      await desired.variable(name.replaceAll('-', '_'), 1);
      return { query: `name=${name.replaceAll('-', '_')}` };
    case 'POST /sync/plan':
    case 'POST /sync':
      await desired.device(name);
      await desired.ok('PUT', `bundles/${name}`, bundle);
      return { body: { targets: { devices: [name] } } };
    case 'POST /restores':
      await desired.device(name);
      return { body: restoreOf(name) };
    default:
      return undefined;
  }
}

export const restoreOf = (device: string, over: object = {}, content = ciphertext): object => ({
  device,
  archive: 'archive-1',
  profile: { id: 'test', rev: 1 },
  files: [
    {
      path: '/etc/motd',
      unit: 'files',
      mode: '0644',
      owner: 'root',
      group: 'root',
      content,
      sha256: 'a'.repeat(64),
    },
  ],
  ...over,
});
