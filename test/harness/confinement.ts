import { execFileSync } from 'node:child_process';
import { notTested } from './not-tested.ts';

/** Says loudly why the programs of plugins cannot be confined here: only root can, and not in every container. */
export function confinementMissing(what: string): boolean {
  return notTested(what, obstacle());
}

function obstacle(): string | undefined {
  try {
    execFileSync('unshare', ['--mount', '--pid', '--fork', '--mount-proc', 'true'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'nobody can be given namespaces of their own here';
  }
}
