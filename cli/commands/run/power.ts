import type { Command } from '@commander-js/extra-typings';
import type { Open } from '../../environment.ts';
import { runCommand } from './run-options.ts';
import { submit } from './submit.ts';

const commands = [
  {
    name: 'restart',
    type: 'REBOOT',
    verb: 'Reboot',
    description: 'Reboot the device: the whole machine restarts (to restart only the agent: plugin-reload)',
  },
  {
    name: 'poweroff',
    type: 'SHUTDOWN',
    verb: 'Power off',
    description: 'Power off the device: it stays off until somebody switches it on',
  },
  {
    name: 'plugin-reload',
    type: 'RESTART',
    verb: 'Restart the agent on',
    description: 'Restart the Muster agent on the device (to reboot the whole device: restart)',
  },
] as const;

/** The commands that take a device or its agent away for a while: on a terminal they ask first. */
export function addRunPower(group: Command, open: Open): void {
  for (const { name, type, verb, description } of commands) {
    runCommand(group, name, description).action(async (options) => {
      await submit(await open(), { type, payload: {}, options, verb });
    });
  }
}
