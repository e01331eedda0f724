import { InvalidArgumentError } from 'commander';
import { agentPackage, ReleaseVersion } from '../../shared/release.ts';

/** `1.2.3` of the agent, or `netdiag@1.2.3` of a plugin. */
export function namedVersion(text: string): { name: string | undefined; version: string } {
  const at = text.lastIndexOf('@');
  const name = text.slice(0, Math.max(0, at));
  const version = text.slice(at + 1);
  if (!ReleaseVersion.safeParse(version).success || at === 0) {
    throw new InvalidArgumentError('expected a version such as 1.2.3, of a plugin such as netdiag@1.2.3');
  }
  return { name: name === '' || name === agentPackage ? undefined : name, version };
}
