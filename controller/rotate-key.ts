import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../shared/errors.ts';
import { lockFolder } from '../shared/node/folder-lock.ts';
import { systemClock } from '../shared/node/system-clock.ts';
import { databaseFile } from './context.ts';
import { loadIdentity } from './devices/identity.ts';
import { finishControllerKeys, rotateControllerKey } from './devices/rotate-controller-key.ts';
import { openStore } from './store/open.ts';
import type { Store } from './store/store.ts';

interface Told {
  answer: Record<string, unknown>;
  /** The same for people. */
  text: string;
}

/** Gives the controller of a data folder a new key. */
export function rotateKey(data: string, overlapMs: number): Promise<Told> {
  return withStore(data, async (store) => {
    const { controllerId } = await loadIdentity(store.settings, data);
    const place = { store, dataFolder: data, clock: systemClock };
    const { from, to, oldUntil } = await rotateControllerKey(place, controllerId, overlapMs);
    const until = new Date(oldUntil).toISOString();
    return {
      answer: { from, to, old_until: until },
      text:
        `old fingerprint:  ${from}\nnew fingerprint:  ${to}\nold key obeyed:   until ${until}\n\n` +
        'Devices learn the new key when they connect. Enrolment tokens made before carry the old fingerprint: make new ones.\n',
    };
  });
}

/** Ends every overlap now. */
export function finishKeys(data: string): Promise<Told> {
  return withStore(data, async (store) => {
    const ended = await finishControllerKeys({ store, clock: systemClock });
    return {
      answer: { ended },
      text: `${ended} old keys are obeyed no more by devices that have connected since\n`,
    };
  });
}

async function withStore(data: string, work: (store: Store) => Promise<Told>): Promise<Told> {
  const path = join(data, databaseFile);
  if (!existsSync(path)) throw new AppError('not_found', `${data} holds no controller`);
  using lock = lockFolder(data);
  if (lock === undefined) {
    throw new AppError(
      'conflict',
      `A controller works on ${data}: stop it, rotate its key, and start it again`,
    );
  }
  const store = await openStore({ dialect: 'sqlite', path });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
