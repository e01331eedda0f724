import { leftovers } from '../../harness/appliance-leftovers.ts';
import { until } from '../../harness/until.ts';
import { askLab, LabGone } from './lab-control.ts';
import type { LabFolder } from './lab-folder.ts';

const endMs = 60_000;

/** Ends a lab and all that belongs to it, also one whose keeper was killed; settles when nothing of it is left. */
export async function down(lab: LabFolder): Promise<void> {
  const keeper = lab.livingPid('keeper');
  if (keeper !== undefined) {
    await askLab(lab.socket, { ask: 'down' }).catch((error: unknown) => {
      if (!(error instanceof LabGone)) throw error;
      process.kill(keeper, 'SIGKILL'); // its namespaces end with it
    });
    const ended = () => !lab.isOwn(keeper) && leftovers(keeper).length === 0;
    await until(`${lab.name} is gone`, ended, { deadlineMs: endMs, last: () => leftovers(keeper) });
  }
  const controller = lab.livingPid('controller');
  if (controller !== undefined) {
    process.kill(controller, 'SIGKILL');
    await until('its controller is gone', () => !lab.isOwn(controller));
  }
  lab.remove();
}
