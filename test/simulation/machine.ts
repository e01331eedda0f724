import { DummyMachine } from '../../agent/system/dummy/machine.ts';
import { DummyPower } from '../../agent/system/dummy/power.ts';
import type { Step } from '../../agent/system/dummy/program.ts';
import type { System } from '../../agent/system/system.ts';
import type { Execution } from './ledger.ts';
import type { Process } from './process.ts';
import type { SeededRandom } from './random.ts';

export interface MachineParts {
  /** Lives from boot to power off. */
  boot: Process;
  agent: Process;
  random: SeededRandom;
  /** The boot id outlives the agent. */
  bootId: { value: string };
  /** Called when a command takes effect. */
  hooks: { onReboot(): void; onPowerOff(): void; onRestartAgent(): void };
  /** The execution that a command or a process belongs to. */
  executionOf: (verb: string | number) => Execution | undefined;
}

/** Commands for the power that are accepted and have no effect, and how long the others take. */
const ignoredChance = 0.08;
const longestEffectMs = 3_000;

/**
 * The dummy machine under one agent process: commands for the power belong to the machine and take effect even when the agent
 * died meanwhile, processes die with the agent.
 */
export function createMachine(parts: MachineParts): System {
  const { boot, agent, random, bootId, hooks, executionOf } = parts;
  const machine = new DummyMachine({ clock: agent.clock, random });
  const power = new DummyPower({
    clock: boot.clock,
    random,
    hooks,
    storage: {
      load: () => bootId.value,
      save: (value) => {
        bootId.value = value;
      },
    },
  });
  machine.probes.takesMs = random.integer(1, 3_000);

  machine.processes.behaviour = ({ argv }) => (argv[0] === 'ping' ? pingSteps(random) : undefined);

  const command = (verb: 'reboot' | 'powerOff' | 'restartAgent') => async (): Promise<void> => {
    const isIgnored = random.chance(ignoredChance);
    executionOf(verb)?.verbs.push(isIgnored ? `${verb}, ignored` : verb);
    power.ignored.clear();
    if (isIgnored) power.ignored.add(verb);
    power.effectAfterMs = random.integer(0, longestEffectMs);
    await power[verb]();
  };

  return {
    power: {
      bootId: () => power.bootId(),
      reboot: command('reboot'),
      powerOff: command('powerOff'),
      restartAgent: command('restartAgent'),
    },
    services: machine.services,
    processes: {
      scriptFile: (text) => machine.processes.scriptFile(text),
      askDoor: (user, ask) => machine.processes.askDoor(user, ask),
      run: async (program, output, signal) => {
        const execution = executionOf(
          Number(program.env['TAG'] ?? program.argv.at(-1)?.replace('host-', '')),
        );
        const end = await machine.processes.run(program, output, signal);
        execution?.exits.push(end.exitCode);
        return end;
      },
    },
    probes: machine.probes,
    facts: machine.facts,
  };
}

/** What `ping` prints: replies, or none. */
function pingSteps(random: SeededRandom): Step[] {
  const received = random.chance(0.8) ? 2 : 0;
  return [
    { sleepMs: random.integer(0, 4_000) },
    {
      print: `2 packets transmitted, ${received} received, ${100 - 50 * received}% packet loss, time 1001ms\n`,
    },
    ...(received > 0 ? [{ print: 'rtt min/avg/max/mdev = 1.000/2.000/3.000/1.000 ms\n' }] : []),
    { exitCode: received > 0 ? 0 : 1 },
  ];
}
