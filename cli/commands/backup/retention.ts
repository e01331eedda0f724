import type { Command } from '@commander-js/extra-typings';
import type { RetentionPlan } from '../../../shared/api/backups.ts';
import { given } from '../../arguments/given.ts';
import type { Environment, Open } from '../../environment.ts';
import { bytesText } from '../../output/bytes.ts';
import { confirmLasting, requireYes } from '../../prompt.ts';
import { retentionRows, retentionView } from '../../views/retention.ts';

export function addBackupRetention(group: Command, open: Open): void {
  group
    .command('retention')
    .description(
      'Show which archives the rules of retention would delete and why others stay; with --apply delete them',
    )
    .option('--device <name>', 'only archives of this device')
    .option('--apply', 'delete exactly what is shown')
    .option('-y, --yes', 'do not ask; needed without a terminal')
    .action(async ({ device, apply, yes }) => {
      const environment = await open();
      const { client, terminal, output } = environment;
      const action = 'deleting archives cannot be undone';
      if (apply) requireYes(terminal, { yes: yes === true, action });
      const plan = await client.backups.retention(given({ device }));
      showPlan(environment, plan);
      if (!apply || plan.delete.length === 0) {
        if (output.isJson) output.json(plan);
        return;
      }
      await confirmLasting(terminal, {
        yes: yes === true,
        action,
        question: `Delete ${archivesText(plan)}?`,
      });
      await applyPlan(environment, plan, device);
    });
}

function showPlan({ output }: Environment, plan: RetentionPlan): void {
  if (output.isJson) return;
  if (output.quiet) output.data(plan.delete.map(({ archive }) => `${archive}\n`).join(''));
  else output.list(retentionRows(plan), retentionView);
  output.say(`${plan.keep.length} stay; ${archivesText(plan)} would go`);
}

async function applyPlan(
  { client, output, exit }: Environment,
  plan: RetentionPlan,
  device: string | undefined,
): Promise<void> {
  const done = await client.backups.retention({ apply: plan.plan, ...given({ device }) });
  if (output.isJson) output.json(done);
  output.say(`Deleted ${done.deleted} of ${plan.delete.length}`);
  if (done.deleted < plan.delete.length) exit(done.deleted === 0 ? 'failed' : 'someFailed');
}

function archivesText({ delete: gone }: RetentionPlan): string {
  const bytes = gone.reduce((sum, { size }) => sum + size, 0);
  return `${gone.length === 1 ? '1 archive' : `${gone.length} archives`} (${bytesText(bytes)})`;
}
