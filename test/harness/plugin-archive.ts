import { zstdCompressSync } from 'node:zlib';
import tar from 'tar-stream';
import type { Store } from '../../controller/store/store.ts';
import { PluginManifest } from '../../shared/plugin.ts';
import { systemRandom } from '../../shared/node/system-clock.ts';

/** An archive of a plugin as text files by name, in this order. */
export async function plainArchive(files: Record<string, string>): Promise<Buffer> {
  const pack = tar.pack();
  for (const [name, text] of Object.entries(files)) pack.entry({ name, mtime: new Date(0) }, text);
  pack.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(chunk as Buffer);
  return zstdCompressSync(Buffer.concat(chunks));
}

/** A manifest of `netdiag` with one task type, TRACEROUTE; `over` changes it. */
export const netdiagManifest = (over: Record<string, unknown> = {}) => ({
  name: 'netdiag',
  version: '1.0.0',
  summary: 'Looks at the network from the device',
  program: 'bin/netdiag',
  task_types: {
    TRACEROUTE: {
      summary: 'Traces the route to a host',
      parameters: {
        type: 'object',
        properties: {
          host: { type: 'string', minLength: 1, description: 'where to' },
          count: { type: 'integer', minimum: 1, maximum: 10, default: 3, description: 'probes per hop' },
        },
        required: ['host'],
        additionalProperties: false,
      },
      result: { type: 'object', properties: { hops: { type: 'array' } } },
      timeout_seconds: 90,
    },
  },
  ...over,
});

/** The archive of `netdiag`, which does nothing. */
export const netdiagArchive = (over: Record<string, unknown> = {}): Promise<Buffer> =>
  plainArchive({ 'plugin.json': JSON.stringify(netdiagManifest(over)), 'bin/netdiag': '#!/bin/sh\n' });

/** Has an organization have `netdiag`, without an archive; for the platform `any`. Returns the version. */
export async function keepNetdiag(
  { releases }: Pick<Store, 'releases'>,
  organizationId: string,
  over: Record<string, unknown> = {},
): Promise<string> {
  const manifest = PluginManifest.parse(netdiagManifest(over));
  const { name, version } = manifest;
  await releases.insert({
    ...{ id: systemRandom.uuid(), organizationId, name, version, platform: 'any', floor: '0.0.0', bytes: 1 },
    ...{ sha256: '0'.repeat(64), signature: '', keyId: '0', plugin: JSON.stringify(manifest) },
    ...{ createdBy: 'ops@example.org', createdAt: 0 },
  });
  return version;
}
