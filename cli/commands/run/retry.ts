import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import type { RetryRun } from '../../../shared/api/runs.ts';
import { durationMs } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import type { Open } from '../../environment.ts';
import { conclude, tellSkipped } from './conclude.ts';

const states = ['failed', 'expired', 'cancelled', 'skipped'] as const;

/** `failed,expired`. */
function only(text: string): RetryRun['only'] {
  const words = text.toLowerCase().split(',');
  const known = words.map((word) => states.find((state) => state === word.trim()));
  if (known.some((state) => state === undefined)) {
    throw new InvalidArgumentError(`expected one or more of ${states.join(', ')}, separated by commas`);
  }
  return known.map((state) => (state ?? '').toUpperCase()) as RetryRun['only'];
}

export function addRunRetry(group: Command, open: Open): void {
  group
    .command('retry')
    .description('Make a new run over the devices of a run that did not do it')
    .argument('<run>', 'id of the run')
    .option('--only <states>', `of ${states.join(', ')} (default all of them), separated by commas`, only)
    .option('--wait', 'stay until all tasks have ended; the exit code says how')
    .option('--follow', 'as --wait, and print the logs as they grow')
    .option('--timeout <duration>', 'with --wait: leave after this long; the tasks go on', durationMs)
    .action(async (id, options) => {
      const environment = await open();
      const answer = await environment.client.runs.retry(id, given({ only: options.only }));
      tellSkipped(environment, answer);
      await conclude(environment, answer, options);
    });
}
