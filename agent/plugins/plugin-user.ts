import { TaskError } from '../../shared/errors.ts';
import type { PluginManifest } from '../../shared/plugin.ts';

/** Throws `TaskError('policy')` when the device does not let plugins run as the user that this one wants. */
export function requireUser({ name, user }: PluginManifest, users: readonly string[]): void {
  if (users.includes(user)) return;
  throw new TaskError(
    'policy',
    `Plugin ${name} wants to run as ${user}, and the policy of this device allows plugins ${users.join(', ') || 'no user'} only`,
  );
}
