import type { Services } from '../system.ts';

type ServiceState = Awaited<ReturnType<Services['show']>>;

const unknownUnit: ServiceState = { known: false, active: false, state: 'inactive', subState: 'dead' };

/** Services in memory; any unit that was not set is unknown. */
export class DummyServices implements Services {
  readonly #units = new Map<string, ServiceState>();
  /** Set to make every question fail, as on a machine without a service manager. */
  failure: Error | undefined;

  async show(unit: string): Promise<ServiceState> {
    if (this.failure) throw this.failure;
    return this.#units.get(withSuffix(unit)) ?? unknownUnit;
  }

  run(unit: string): void {
    this.#set(unit, true, 'active', 'running');
  }

  stop(unit: string): void {
    this.#set(unit, false, 'inactive', 'dead');
  }

  fail(unit: string): void {
    this.#set(unit, false, 'failed', 'failed');
  }

  #set(unit: string, active: boolean, state: string, subState: string): void {
    this.#units.set(withSuffix(unit), { known: true, active, state, subState });
  }
}

/** As systemctl does: a name without a unit type is a service. */
const withSuffix = (unit: string): string => (/\.[a-z]+$/.test(unit) ? unit : `${unit}.service`);
