import type { Unit } from '../../shared/device-profile.ts';
import type { CheckContext } from './checks.ts';
import type { LiveState } from './drift-gate.ts';
import type { CheckedManifest } from './manifest-check.ts';
import type { Rendered } from './render.ts';

/** One unit that changes: what is written and deleted in it. */
export interface TouchedUnit {
  unit: Unit;
  written: string[];
  removed: string[];
}

/** What a transaction is about to do, all of it staged. */
export interface Candidate {
  checked: CheckedManifest;
  live: LiveState;
  /** In the order of the profile. */
  touched: TouchedUnit[];
  /** What commands of units are run with. */
  checks: CheckContext;
}

export const touchedUnits = (live: LiveState, { changes }: Rendered): TouchedUnit[] =>
  live.units
    .map((unit) => {
      const own = changes.filter((change) => change.unit === unit.name);
      return {
        unit,
        written: own.filter(({ change }) => change !== 'delete').map(({ path }) => path),
        removed: own.filter(({ change }) => change === 'delete').map(({ path }) => path),
      };
    })
    .filter(({ written, removed }) => written.length + removed.length > 0);
