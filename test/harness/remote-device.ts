import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { AgentProcess } from './agent-process.ts';
import type { Cluster } from './cluster.ts';

/** A device whose own file says what remote sessions may do; online when it settles. `url`: where it finds the controller. */
export function joinRemote(
  cluster: Cluster,
  name: string,
  remoteAccess: object,
  url = cluster.controller.url,
): Promise<AgentProcess> {
  const file = join(cluster.folder, `${name}.yaml`);
  writeFileSync(file, stringify({ remote_access: remoteAccess }));
  return cluster.join(name, { url, startArguments: ['--config', file] });
}

/** Sessions as the API tells them, newest first. */
export async function sessionsOf(cluster: Cluster, query = ''): Promise<Record<string, unknown>[]> {
  const page = await cluster.controller.call('GET', `/api/v1/organizations/default/sessions${query}`);
  return page['items'] as Record<string, unknown>[];
}
