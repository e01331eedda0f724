import { createFacts } from './facts.ts';
import { createPower, type PowerOptions } from './power.ts';
import { probes } from './probes/probes.ts';
import { createProcesses, type ProcessesOptions } from './processes.ts';
import { createServices } from './services.ts';
import type { System } from './system.ts';

export interface LinuxOptions {
  power: PowerOptions;
  processes?: ProcessesOptions;
}

/** The machine this process runs on. */
export const createLinuxSystem = (options: LinuxOptions): System => ({
  power: createPower(options.power),
  services: createServices(),
  processes: createProcesses(options.processes),
  probes,
  facts: createFacts(),
});
