import type { Clock, Random } from '../../../shared/clock.ts';
import type { System } from '../system.ts';
import { DummyFacts } from './facts.ts';
import { DummyPower, type PowerHooks } from './power.ts';
import { DummyProbes } from './probes.ts';
import { DummyProcesses } from './processes.ts';
import { DummyServices } from './services.ts';
import type { BootIdStorage } from './boot-id-storage.ts';

export interface DummyMachineParts {
  clock: Clock;
  random: Random;
  /** What happens to the agent when the machine or the agent goes down; without hooks the agent simply lives on. */
  hooks?: PowerHooks;
  /** Where the boot id outlives the process; without it every new object is a new boot. */
  storage?: BootIdStorage;
}

/** A machine in memory. Deterministic: time and randomness come from the given clock and random only. */
export class DummyMachine implements System {
  readonly power: DummyPower;
  readonly services = new DummyServices();
  readonly processes: DummyProcesses;
  readonly probes: DummyProbes;
  readonly facts = new DummyFacts();

  constructor(parts: DummyMachineParts) {
    this.power = new DummyPower(parts);
    this.processes = new DummyProcesses(parts.clock);
    this.probes = new DummyProbes(parts.clock);
  }

  get bootId(): string {
    return this.power.currentBootId;
  }
}
