import type { Command } from '@commander-js/extra-typings';
import type { CancelRunAnswer } from '../../../shared/api/runs.ts';
import type { Open } from '../../environment.ts';
import type { View } from '../../output/view.ts';

const cancelView: View<CancelRunAnswer> = {
  noun: 'runs',
  key: ({ run }) => run,
  columns: [],
  fields: (answer) => [
    ['Run', answer.run],
    ['Cancelled', answer.cancelled],
    ['Asked to stop', answer.requested],
    ['Still running', answer.still_running],
  ],
};

export function addRunCancel(group: Command, open: Open): void {
  group
    .command('cancel')
    .description('Cancel what waits of a run; with --request ask the devices to stop what runs')
    .argument('<run>', 'id of the run')
    .option('--request', 'ask devices to stop tasks that run already', false)
    .action(async (id, { request }) => {
      const { client, output } = await open();
      const answer = await client.runs.cancel(id, request);
      output.one(answer, cancelView);
      if (answer.still_running > answer.requested) {
        output.say('What runs already goes on; to ask the devices to stop it: --request');
      }
    });
}
