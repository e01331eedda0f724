import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isTest, projectFiles, projectRoot } from '../harness/source-files.ts';

/** Appliances see the machine's files, but a /tmp of their own. */
const cache = '/var/tmp/muster-lab';
const kept = 3;

/** The Debian packages of this checkout: built once, and again only when a source has changed. Compressed little, for it is quick. */
export async function builtPackages(): Promise<{ agent: string; controller: string }> {
  const folder = join(cache, digestOfSources());
  if (!existsSync(folder)) {
    const draft = `${folder}.${process.pid}`;
    mkdirSync(draft, { recursive: true });
    const program = join(projectRoot, 'systemd', 'package', 'build.ts');
    await promisify(execFile)(process.execPath, [program, '--out', draft, '--level', '0']);
    putInPlace(draft, folder);
    forgetOld();
  }
  const [agent, controller] = ['muster-agent', 'muster-controller'].map((name) => {
    const found = readdirSync(folder).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
    if (found === undefined) throw new Error(`the build made no package ${name} in ${folder}`);
    return join(folder, found);
  });
  return { agent: agent ?? '', controller: controller ?? '' };
}

/** Another test file may have built the same meanwhile. */
function putInPlace(draft: string, folder: string): void {
  try {
    renameSync(draft, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
    rmSync(draft, { recursive: true, force: true });
  }
}

function digestOfSources(): string {
  const hash = createHash('sha256');
  for (const file of projectFiles()) {
    if (isTest(file) || file.path.startsWith('docs/') || file.path.startsWith('bench/')) continue;
    hash.update(`${file.path}\0${file.text}\0`);
  }
  return hash.digest('hex').slice(0, 16);
}

function forgetOld(): void {
  const byAge = readdirSync(cache)
    .map((name) => ({ path: join(cache, name), at: statSync(join(cache, name)).mtimeMs }))
    .sort((left, right) => right.at - left.at);
  for (const { path } of byAge.slice(kept)) rmSync(path, { recursive: true, force: true });
}
