import { repeatable } from '../arguments/argument-parsers.ts';
import { given } from '../arguments/given.ts';
import { pullOutcomeView } from '../views/pull-outcome.ts';
import type { GroupParts } from './groups.ts';
import { conclude, tellSkipped } from './run/conclude.ts';
import { orderOf } from './run/request.ts';
import { addToSchedule } from './schedule/add-to-schedule.ts';
import { withOrderOptions } from './run/run-options.ts';

export function addPull({ command, open }: GroupParts): void {
  withOrderOptions(command)
    .option('--unit <name>', 'only this unit of the device profile; repeatable', repeatable)
    .action(async (options) => {
      const environment = await open();
      const { client, terminal } = environment;
      const wanted = { ...orderOf(options, environment), ...given({ units: options.unit }) };
      if (await addToSchedule(environment, options, { kind: 'PULL', request: wanted })) return;
      const answer = await client.configs.pull(wanted, terminal.random.uuid());
      tellSkipped(environment, answer);
      await conclude(environment, answer, options, { view: pullOutcomeView, evenAfterLogs: true });
    });
}
