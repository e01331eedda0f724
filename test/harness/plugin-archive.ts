import { zstdCompressSync } from 'node:zlib';
import tar from 'tar-stream';

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
