import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isTest, projectFiles, projectRoot } from '../harness/source-files.ts';
import { builtOnce } from './built-once.ts';

/** The Debian packages of this checkout: built once, and again only when a source has changed. Compressed little, for it is quick. */
export async function builtPackages(): Promise<{ agent: string; controller: string }> {
  const folder = await builtOnce('packages', digestOfSources(), async (draft) => {
    const program = join(projectRoot, 'systemd', 'package', 'build.ts');
    await promisify(execFile)(process.execPath, [program, '--out', draft, '--level', '0']);
  });
  const [agent, controller] = ['muster-agent', 'muster-controller'].map((name) => {
    const found = readdirSync(folder).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
    if (found === undefined) throw new Error(`the build made no package ${name} in ${folder}`);
    return join(folder, found);
  });
  return { agent: agent ?? '', controller: controller ?? '' };
}

function digestOfSources(): string {
  const hash = createHash('sha256');
  for (const file of projectFiles()) {
    if (isTest(file) || file.path.startsWith('docs/') || file.path.startsWith('bench/')) continue;
    hash.update(`${file.path}\0${file.text}\0`);
  }
  return hash.digest('hex').slice(0, 16);
}
