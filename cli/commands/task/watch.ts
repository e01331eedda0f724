import type { Command } from '@commander-js/extra-typings';
import { durationMs } from '../../arguments/argument-parsers.ts';
import type { Open } from '../../environment.ts';
import { taskOutcomeView } from '../../views/task.ts';
import { attend } from '../../watch/attend.ts';
import { outcomeOf } from '../../watch/outcome.ts';
import { taskSource } from '../../watch/source.ts';

export function addTaskWatch(group: Command, open: Open): void {
  group
    .command('watch')
    .description('Stay with tasks until they have ended, and end as they did')
    .argument('<task...>', 'task codes')
    .option('--follow', 'print their logs too', false)
    .option('--timeout <duration>', 'leave after this long, such as 10m', durationMs)
    .action(async (codes, { follow, timeout }) => {
      const environment = await open();
      const { client, output, settings } = environment;
      const named = await Promise.all(codes.map((code) => client.tasks.describe(code)));
      const tasks = await attend(environment, {
        source: taskSource(client, [...new Set(named.map(({ task }) => task))], settings.organization),
        follow,
        timeoutMs: timeout,
        resume: `The tasks go on. Come back with: muster task watch ${codes.join(' ')}\nCancel with: muster task cancel CODE [--request]`,
      });
      if (!follow) output.list(tasks, taskOutcomeView);
      environment.exit(outcomeOf(tasks));
    });
}
