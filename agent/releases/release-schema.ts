import { join } from 'node:path';
import { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';
import { runTool } from '../system/tool.ts';

/** Steps of the agent's database that a version makes, and that another one must know to work with it then. */
const SchemaRange = z.object({ newest: z.int(), oldest: z.int() });
export type SchemaRange = z.output<typeof SchemaRange>;

const answerWithinMs = 30_000;

/**
 * Throws `TaskError('bad_release')` when the version in a tree and the one that runs now could not go on with each other's database: neither
 * the trial nor the way back must end without one.
 */
export async function requireReversible(tree: string, own: SchemaRange): Promise<void> {
  const other = await schemaOfRelease(tree);
  // A version from before anybody asked added nothing that is not known.
  const obstacle = other && obstacleBetween(other, own);
  if (obstacle !== undefined) throw new TaskError('bad_release', obstacle);
}

function obstacleBetween(release: SchemaRange, own: SchemaRange): string | undefined {
  if (release.newest < own.oldest) {
    return `The release knows ${release.newest} steps of the agent's database, and the version that runs made ${own.oldest} that it must know: install a newer release`;
  }
  if (own.newest < release.oldest) {
    return `There would be no way back: the release changes the agent's database so that a version must know ${release.oldest} steps, and the one that runs knows ${own.newest}. Install a release in between first`;
  }
  return undefined;
}

async function schemaOfRelease(tree: string): Promise<SchemaRange | undefined> {
  const program = join(tree, 'programs/muster-agent/bin.js');
  const end = await runTool(join(tree, 'bin/node'), [program, 'schema'], { timeoutMs: answerWithinMs });
  if (end?.exitCode !== 0) return undefined;
  const said = SchemaRange.safeParse(readJson(end.stdout));
  return said.success ? said.data : undefined;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
