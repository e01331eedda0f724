import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { startedRunView } from '../../views/schedule.ts';

export function addScheduleRun(group: Command, open: Open): void {
  group
    .command('run')
    .description('Run now what a schedule runs, whether it is enabled or not')
    .argument('<name>', 'name of the schedule')
    .action(async (name) => {
      const { client, output, exit } = await open();
      const answer = await client.schedules.run(name);
      if (output.isJson) output.json(answer);
      else output.list(answer.runs, startedRunView);
      const [first] = answer.runs.flatMap(({ run }) => run ?? []);
      if (first !== undefined) output.say(`See the end of it: muster run watch ${first}`);
      if (answer.runs.some(({ error }) => error !== null)) exit('someFailed');
    });
}
