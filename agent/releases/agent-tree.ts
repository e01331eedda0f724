import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from '../system/tool.ts';
import { badRelease } from './unpack.ts';

/** What makes a tree one that the launcher starts. */
const needed = ['bin/node', 'programs/muster-agent/bin.js'];
const trialRunMs = 30_000;

/** The agent in `folder` can be started on this machine at all, and is the version it says it is. */
export async function requireAgentTree(folder: string, version: string): Promise<void> {
  for (const path of needed) {
    if (!existsSync(join(folder, path))) throw badRelease(`it has no ${path}`);
  }
  const program = join(folder, 'programs/muster-agent/bin.js');
  const end = await runTool(join(folder, 'bin/node'), [program, 'version'], { timeoutMs: trialRunMs });
  const expected = `muster-agent ${version}`;
  if (end?.exitCode === 0 && end.stdout.trim() === expected) return;
  const came = (end?.stdout.trim() || end?.stderr.trim() || 'nothing').slice(0, 300);
  throw badRelease(`asked for its version it said ${came}, expected ${expected}`);
}
