import type { Command } from '@commander-js/extra-typings';
import type { Device } from '../../../shared/api/devices.ts';
import { CliError } from '../../cli-error.ts';
import type { Client } from '../../client/client.ts';
import type { Environment, Open } from '../../environment.ts';
import { confirm } from '../../prompt.ts';
import { isInteractive } from '../../terminal.ts';
import { changeEach } from './change-each.ts';

export function addDeviceApproveAll(group: Command, open: Open): void {
  group
    .command('approve-all')
    .description('Approve every device that asked to join')
    .option('-y, --yes', 'do not ask')
    .action(async ({ yes }) => {
      const environment = await open();
      const { client, terminal } = environment;
      const pending = await pendingDevices(client);
      if (pending.length > 0 && !yes && isInteractive(terminal)) await ask(environment, pending);
      // By uuid: a device may be renamed while the question waits for its answer.
      const uuids = new Map(pending.map(({ name, uuid }) => [name, uuid]));
      await changeEach(environment, [...uuids.keys()], (name) =>
        client.devices.change(uuids.get(name) ?? name, 'approve'),
      );
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
