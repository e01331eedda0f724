import type { Command } from '@commander-js/extra-typings';
import type { Device } from '../../../shared/api/devices.ts';
import { CliError } from '../../cli-error.ts';
import type { Client } from '../../client/client.ts';
import type { Environment, Open } from '../../environment.ts';
import type { ExitReason } from '../../exit-codes.ts';
import { confirm } from '../../prompt.ts';
import { isInteractive } from '../../terminal.ts';
import { deviceView } from '../../views/device.ts';

export function addDeviceApproveAll(group: Command, open: Open): void {
  group
    .command('approve-all')
    .description('Approve every device that asked to join')
    .option('-y, --yes', 'do not ask')
    .action(async ({ yes }) => {
      const environment = await open();
      const { client, output, terminal } = environment;
      const pending = await pendingDevices(client);
      if (pending.length > 0 && !yes && isInteractive(terminal)) await ask(environment, pending);
      const { approved, failures } = await approve(client, pending);
      output.list(approved, deviceView);
      for (const failure of failures) output.warn(failure);
      environment.exit(outcomeOf(approved.length, failures.length));
    });
}

async function pendingDevices(client: Client): Promise<Device[]> {
  const devices: Device[] = [];
  for (let page = 1; ; page += 1) {
    const answer = await client.devices.list({ status: 'PENDING', page, per_page: 100, sort_by: 'name:asc' });
    devices.push(...answer.items);
    if (page >= answer.pages) return devices;
  }
}

async function ask({ terminal, output }: Environment, pending: Device[]): Promise<void> {
  for (const { name, key_fingerprint } of pending) output.say(`${name}  ${key_fingerprint}`);
  const count = pending.length === 1 ? 'this device' : `these ${pending.length} devices`;
  if (await confirm(terminal, `Approve ${count}?`)) return;
  throw new CliError('failed', 'nothing was approved', { code: 'declined' });
}

/** One by one, so that a device that vanished meanwhile does not stop the others. */
async function approve(client: Client, pending: Device[]) {
  const approved: Device[] = [];
  const failures: string[] = [];
  for (const { name } of pending) {
    try {
      approved.push(await client.devices.change(name, 'approve'));
    } catch (error) {
      if (!(error instanceof CliError) || error.exit === 'unreachable' || error.exit === 'forbidden')
        throw error;
      failures.push(`${name}: ${error.message}`);
    }
  }
  return { approved, failures };
}

function outcomeOf(approved: number, failed: number): ExitReason {
  if (failed === 0) return 'ok';
  return approved === 0 ? 'failed' : 'someFailed';
}
