import { readFile } from 'node:fs/promises';
import { TaskError } from '../../shared/errors.ts';
import type { Power } from './system.ts';
import { runTool } from './tool.ts';

export interface PowerOptions {
  env: NodeJS.ProcessEnv;
  /** The agent's own unit, restarted through systemd when systemd started this process. */
  unit: string;
  /** Replaces this process where there is no systemd. */
  restartProcess: () => Promise<void>;
  /** Programs to try, in this order, until one exists and accepts. */
  commands?: PowerCommands;
  bootIdFile?: string;
}

export interface PowerCommands {
  reboot: [string, ...string[]][];
  powerOff: [string, ...string[]][];
  restart: [string, ...string[]];
}

const systemCommands: PowerCommands = {
  reboot: [['systemctl', 'reboot'], ['/sbin/reboot'], ['/sbin/shutdown', '-r', 'now']],
  powerOff: [['systemctl', 'poweroff'], ['/sbin/poweroff'], ['/sbin/shutdown', '-h', 'now']],
  restart: ['systemctl', 'restart', '--no-block'],
};

export function createPower(options: PowerOptions): Power {
  const commands = options.commands ?? systemCommands;
  return {
    async bootId() {
      const text = await readFile(options.bootIdFile ?? '/proc/sys/kernel/random/boot_id', 'utf8');
      return text.trim();
    },
    reboot: () => firstAccepted('reboot', commands.reboot),
    powerOff: () => firstAccepted('power off', commands.powerOff),
    async restartAgent() {
      // systemd sets INVOCATION_ID for everything it starts.
      if (options.env.INVOCATION_ID === undefined) return options.restartProcess();
      await firstAccepted(`restart ${options.unit}`, [[...commands.restart, options.unit]]);
    },
  };
}

async function firstAccepted(what: string, commands: [string, ...string[]][]): Promise<void> {
  const refusals: string[] = [];
  for (const [program, ...args] of commands) {
    const end = await runTool(program, args);
    if (end?.exitCode === 0) return;
    const reason = end
      ? end.stderr.trim().split('\n').at(-1) || `exit code ${end.exitCode}`
      : 'not installed';
    refusals.push(`${[program, ...args].join(' ')}: ${reason}`);
  }
  throw new TaskError('power_refused', `The machine did not accept to ${what}: ${refusals.join('; ')}`);
}
