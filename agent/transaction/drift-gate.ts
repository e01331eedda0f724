import type { Unit } from '../../shared/device-profile.ts';
import type { SyncParameters } from '../../shared/task-types/sync.ts';
import { liveFiles, stateOf } from './live-files.ts';
import type { ConfirmedState, FileState } from './machine.ts';
import { type CheckedManifest, findManaged } from './manifest-check.ts';
import { rejected } from './sync-error.ts';
import type { TransactionParts } from './transaction-parts.ts';

/** The units that a manifest is about, as the device has them now. */
export interface LiveState {
  /** In the order of the profile. */
  units: Unit[];
  /** By unit. */
  files: ReadonlyMap<string, FileState[]>;
  /** Keyed digest by unit. */
  states: Record<string, string>;
  /** Files that have to go. */
  deletions: { path: string; unit: string }[];
  confirmed: ConfirmedState | undefined;
}

/** Reads what the manifest is about, and refuses when it is not what the plan was made against. Says what was found. */
export async function passDriftGate(
  checked: CheckedManifest,
  parameters: Pick<SyncParameters, 'base' | 'on_drift' | 'reason'>,
  parts: Pick<TransactionParts, 'profile' | 'machine' | 'keys'>,
): Promise<{ live: LiveState; message: string }> {
  const live = await readLive(checked, parameters, parts);
  const drifted = live.units.flatMap(({ name }) => {
    const expected = parameters.base[name] ?? live.confirmed?.units[name];
    return expected === undefined || expected === live.states[name] ? [] : [name];
  });
  const names = drifted.join(', ');
  if (drifted.length === 0) return { live, message: `${live.units.length} units are as expected` };
  if (parameters.on_drift === 'overwrite') return { live, message: `overwrites what changed in ${names}` };
  throw rejected(
    'rejected_drift',
    `${names}: the files of the device are not those that the plan was made against; pull and plan again, or overwrite`,
  );
}

async function readLive(
  { manifest, managed }: CheckedManifest,
  { reason }: Pick<SyncParameters, 'reason'>,
  { profile, machine, keys }: Pick<TransactionParts, 'profile' | 'machine' | 'keys'>,
): Promise<LiveState> {
  const confirmed = await machine.confirmed();
  // A restore brings back what it has; what else was configured stays.
  const left = reason === 'restore' ? [] : leftBehind(confirmed, managed, profile.units);
  const names = new Set([...manifest.files, ...manifest.absent, ...left].map(({ unit }) => unit));
  const units = profile.units.filter(({ name }) => names.has(name));

  const files = new Map<string, FileState[]>();
  const states: Record<string, string> = {};
  for (const unit of units) {
    const found = await liveFiles(unit, machine);
    files.set(unit.name, found);
    states[unit.name] = stateOf(found, keys);
  }
  const exists = new Set([...files.values()].flat().map(({ path }) => path));
  const deletions = [...manifest.absent, ...left].filter(({ path }) => exists.has(path));
  return { units, files, states, deletions, confirmed };
}

/** What an earlier transaction wrote and this one does not name. */
const leftBehind = (
  confirmed: ConfirmedState | undefined,
  named: CheckedManifest['managed'],
  units: readonly Unit[],
): { path: string; unit: string }[] =>
  (confirmed?.files ?? [])
    .filter((path) => !named.has(path))
    .flatMap((path) => {
      const found = findManaged(path, units);
      return found ? [{ path, unit: found.unit.name }] : []; // the profile gave it up: it stays
    });
