import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentProcess } from './agent-process.ts';
import type { Cluster } from './cluster.ts';

/** A real agent whose profile has one unit, `one.conf` in a folder of its own; `path` and `unit` are what YAML has to say more of both. */
export async function joinBulkDevice(
  cluster: Cluster,
  { path = '', unit = '' }: { path?: string; unit?: string } = {},
): Promise<{ agent: AgentProcess; folder: string }> {
  const folder = join(cluster.folder, 'bulk');
  mkdirSync(join(folder, 'profiles'), { recursive: true });
  writeFileSync(join(folder, 'one.conf'), 'one\n');
  const profile = `
id: bulk
rev: 1
summary: one file
platform: linux
tried: run
units:
  - name: one
    summary: one file
    paths: [{ glob: ${folder}/one.conf${path && `, ${path}`} }]
${unit}`;
  writeFileSync(join(folder, 'profiles', 'bulk.yaml'), profile);
  const config = join(folder, 'agent.yaml');
  writeFileSync(config, `configuration: { profile: bulk, profiles_folder: ${folder}/profiles }\n`);
  const agent = await cluster.join('edge-1', { dummy: false, startArguments: ['--config', config] });
  return { agent, folder };
}
