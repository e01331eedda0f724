import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Holder } from '../harness/appliance-command.ts';

/** Outlives a checkout; appliances see the machine's files, but a /tmp of their own. */
const cache = '/var/tmp/muster-lab';
const kept = 5;

/**
 * A folder that takes long to make: found again by the digest of what it is made from. One process at a time builds
 * (the others wait for it), a half-made folder is never seen, and of each kind the youngest few are kept.
 */
export async function builtOnce(
  kind: string,
  digest: string,
  build: (draft: string) => Promise<void>,
): Promise<string> {
  const folder = join(cache, `${kind}-${digest}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const lock = join(cache, `.${kind}.lock`);
  await using _ = await Holder.start(['flock', lock, 'sh', '-c', 'echo ready; exec cat']);
  if (existsSync(folder)) return folder;
  const draft = join(cache, `.${kind}.draft`);
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft);
  await build(draft);
  renameSync(draft, folder);
  forgetOld(kind);
  return folder;
}

function forgetOld(kind: string): void {
  const byAge = readdirSync(cache)
    .filter((name) => name.startsWith(`${kind}-`))
    .map((name) => ({ path: join(cache, name), at: statSync(join(cache, name)).mtimeMs }))
    .sort((left, right) => right.at - left.at);
  for (const { path } of byAge.slice(kept)) rmSync(path, { recursive: true, force: true });
}
