import type { Labels } from '../../shared/ids.ts';
import type { VariableRow } from '../store/variables.ts';

/** What holds for one device. */
export interface DeviceVariables {
  values: Map<string, unknown>;
  /** Rows of the secret ones, by name. */
  secrets: Map<string, VariableRow>;
  /** Label groups that contradict each other. */
  conflicts: string[];
}

/**
 * The variables of an organization, ready to be asked for many devices. A device's value goes before a label group's, that before the
 * organization's; two label groups of a device that say different things are a conflict, unless the device has a value of its own.
 */
export class VariableSet {
  readonly #ofOrganization: VariableRow[];
  readonly #ofLabel: Map<string, VariableRow[]>;
  readonly #ofDevice: Map<string, VariableRow[]>;
  /** Thousands of devices share a few sets of labels. */
  readonly #known = new Map<string, DeviceVariables>();
  readonly #values = new Map<string, unknown>();

  constructor(rows: VariableRow[]) {
    const of = (scope: VariableRow['scope']) => rows.filter((row) => row.scope === scope);
    this.#ofOrganization = of('organization');
    this.#ofLabel = Map.groupBy(of('label'), ({ key }) => key);
    this.#ofDevice = Map.groupBy(of('device'), ({ key }) => key);
  }

  /** What it returns is shared between devices: not to be changed. */
  for(device: { id: string; labels: Labels }): DeviceVariables {
    const groups = Object.entries(device.labels)
      .map(([key, value]) => `${key}=${value}`)
      .filter((group) => this.#ofLabel.has(group))
      .sort();
    const own = this.#ofDevice.get(device.id);
    if (own !== undefined) return this.#resolve(groups, own);
    const signature = groups.join('\n');
    let known = this.#known.get(signature);
    if (known === undefined) {
      known = this.#resolve(groups, []);
      if (this.#known.size < 10_000) this.#known.set(signature, known);
    }
    return known;
  }

  #resolve(groups: string[], own: VariableRow[]): DeviceVariables {
    const chosen = new Map(this.#ofOrganization.map((row) => [row.name, row]));
    const ownNames = new Set(own.map(({ name }) => name));
    const grouped = new Map<string, VariableRow>();
    const conflicts: string[] = [];
    for (const row of groups.flatMap((group) => this.#ofLabel.get(group) ?? [])) {
      const other = grouped.get(row.name);
      if (other !== undefined && !sameValue(other, row) && !ownNames.has(row.name))
        conflicts.push(`variable ${row.name}: labels ${other.key} and ${row.key} say different things`);
      grouped.set(row.name, row);
    }
    for (const row of [...grouped.values(), ...own]) chosen.set(row.name, row);

    const result: DeviceVariables = { values: new Map(), secrets: new Map(), conflicts };
    for (const [name, row] of chosen) {
      if (row.value === null) result.secrets.set(name, row);
      else result.values.set(name, this.#valueOf(row.value));
    }
    return result;
  }

  /** Equal texts are parsed once, and frozen: templates cannot change what the next one sees. */
  #valueOf(text: string): unknown {
    if (!this.#values.has(text)) this.#values.set(text, frozen(JSON.parse(text)));
    return this.#values.get(text);
  }
}

const sameValue = (left: VariableRow, right: VariableRow): boolean =>
  left.value === right.value && left.tag === right.tag;

function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  Object.values(value).forEach(frozen);
  return Object.freeze(value);
}
