import type { Command } from '@commander-js/extra-typings';
import { durationMs } from '../../arguments/argument-parsers.ts';
import type { Client } from '../../client/client.ts';
import type { Open } from '../../environment.ts';
import type { ExitReason } from '../../exit-codes.ts';
import { taskOutcomeView } from '../../views/task.ts';
import { attend } from '../../watch/attend.ts';
import { outcomeOf } from '../../watch/outcome.ts';
import { runSource } from '../../watch/source.ts';

export function addRunWatch(group: Command, open: Open): void {
  group
    .command('watch')
    .description('Stay with the tasks of a run until they have ended, and end as they did')
    .argument('<run>', 'id of the run')
    .option('--follow', 'print their logs too', false)
    .option('--timeout <duration>', 'leave after this long, such as 10m', durationMs)
    .action(async (id, { follow, timeout }) => {
      const environment = await open();
      const { client, output, settings } = environment;
      const run = await client.runs.describe(id);
      const tasks = await attend(environment, {
        source: runSource(client, run.id, settings.organization),
        follow,
        timeoutMs: timeout,
        resume: `The tasks go on. Come back with: muster run watch ${run.id}\nCancel with: muster run cancel ${run.id} [--request]`,
      });
      if (!follow) output.list(tasks, taskOutcomeView);
      environment.exit(tasks.length === 0 ? await outcomeOfRun(client, run.id) : outcomeOf(tasks));
    });
}

/** Agent tasks have no tasks to tell by. */
const outcomeOfRun = async (client: Client, id: string): Promise<ExitReason> =>
  (await client.runs.describe(id)).status === 'COMPLETED' ? 'ok' : 'failed';
