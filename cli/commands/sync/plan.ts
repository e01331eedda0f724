import type { Command } from '@commander-js/extra-typings';
import type { z } from 'zod';
import type { DevicePlan, Plan } from '../../../shared/api/sync.ts';
import type { Environment, Open } from '../../environment.ts';
import { planText } from '../../views/plan-text.ts';
import { planView } from '../../views/plan.ts';
import { targetsOf } from '../run/request.ts';
import { withTargets } from '../run/run-options.ts';

export function addSyncPlan(group: Command, open: Open): void {
  withTargets(
    group
      .command('plan')
      .description('Show what a sync would change, against the last pulled state of each device'),
  )
    .option('--no-diff', 'only which files change')
    .action(async (options) => {
      const environment = await open();
      const plan = await environment.client.sync.plan({ targets: targetsOf(options), diff: options.diff });
      show(environment, plan);
      if (plan.failed > 0) environment.exit(plan.failed === plan.devices.length ? 'failed' : 'someFailed');
    });
}

/** The differences are the data; a table only when it was asked for. */
function show({ output, settings, terminal }: Environment, plan: z.output<typeof Plan>): void {
  const byDevice = (left: DevicePlan, right: DevicePlan) =>
    left.device_name.localeCompare(right.device_name, 'en');
  const devices = plan.devices.toSorted(byDevice);
  if (output.isJson) output.json(plan);
  else if (output.quiet) output.keys(devices.filter(isChanged), planView);
  else if (settings.format === 'table' || settings.format === 'simple') output.list(devices, planView);
  else output.data(devices.map((device) => planText(device, output.paint, terminal.stdout)).join('\n'));
  const failed = plan.failed > 0 ? `, ${plan.failed} cannot be rendered` : '';
  output.say(`${plan.changed} to change, ${plan.unchanged} unchanged${failed}`);
}

const isChanged = ({ error, changes }: DevicePlan): boolean => error === null && changes > 0;
