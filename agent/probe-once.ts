import type { ProbeAttempt } from '../shared/task-types/sync.ts';
import { systemClock, systemRandom } from '../shared/node/system-clock.ts';
import { CommandError } from './command-error.ts';
import type { DataFolder } from './data-folder.ts';
import { askingAs, controllerKeysOf, readIdentity, readKeys } from './identity.ts';
import { ControllerClock } from './link/controller-clock.ts';
import { HttpControllerProbe } from './link/controller-probe.ts';

const timeoutMs = 10_000;

/** Asks the controller once, over a new connection, for a signed sign of life. */
export async function probeOnce(folder: DataFolder): Promise<ProbeAttempt> {
  const identity = readIdentity(folder);
  const keys = readKeys(folder);
  if (!identity || !keys) throw new CommandError(`This device is not enrolled (nothing in ${folder.path})`);
  const controllerClock = new ControllerClock(systemClock);
  const probe = new HttpControllerProbe({
    ...askingAs(identity, { keys, controllerClock, random: systemRandom }),
    controllerKeys: controllerKeysOf(identity, { now: () => controllerClock.now() }),
    clock: systemClock,
  });
  return probe.attempt('probe', timeoutMs, new AbortController().signal);
}
