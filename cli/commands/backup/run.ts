import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { backupOutcomeView } from '../../views/backup-outcome.ts';
import { conclude, tellSkipped } from '../run/conclude.ts';
import { orderOf } from '../run/request.ts';
import { addToSchedule } from '../schedule/add-to-schedule.ts';
import { orderCommand } from '../run/run-options.ts';

export function addBackupRun(group: Command, open: Open): void {
  orderCommand(
    group,
    'run',
    'Archive the configuration of devices, encrypted there, and prove that it can be read back',
  )
    .option('--full', 'a new archive also when nothing changed')
    .action(async (options) => {
      const environment = await open();
      const { client, terminal } = environment;
      const wanted = { ...orderOf(options, environment), full: options.full === true };
      if (await addToSchedule(environment, options, { kind: 'BACKUP', request: wanted })) return;
      const answer = await client.backups.run(wanted, terminal.random.uuid());
      tellSkipped(environment, answer);
      await conclude(environment, answer, options, { view: backupOutcomeView, evenAfterLogs: true });
    });
}
