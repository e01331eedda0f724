import type { Command } from '@commander-js/extra-typings';
import { wholeNumber } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { runCommand } from './run-options.ts';
import { submit } from './submit.ts';

export function addRunPing(group: Command, open: Open): void {
  runCommand(
    group,
    'ping',
    'Check device connectivity: the round trip to the device or, with --host, a ping from the device',
  )
    .option('--host <host>', 'host to ping from the device')
    .option('--count <number>', 'echo requests to send to the host (default 4)', wholeNumber(1, 100))
    .action(async (options) => {
      const { host, count } = options;
      if (count !== undefined && host === undefined) throw usageError('--count belongs to --host');
      await submit(await open(), { type: 'PING', payload: given({ host, count }), options, verb: 'Ping' });
    });
}
