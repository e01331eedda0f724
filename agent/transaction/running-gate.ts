import type { SyncParameters } from '../../shared/task-types/sync.ts';
import type { TouchedUnit } from './candidate.ts';
import type { LiveState } from './drift-gate.ts';
import { type RunningParts, runningProblem } from './running-state.ts';
import { rejected } from './sync-error.ts';
import type { UnitTexts } from './unit-commands.ts';

/**
 * Units whose files stay as they are while what runs is something else: their services have to read the files again, or the result
 * would call in sync what is not. Refuses them unless drift may be overwritten. Their texts count as new from here on.
 */
export async function passRunningGate(
  { live, touched, texts }: { live: LiveState; touched: TouchedUnit[]; texts: Map<string, UnitTexts> },
  { on_drift }: Pick<SyncParameters, 'on_drift'>,
  parts: RunningParts,
): Promise<{ touched: TouchedUnit[]; message: string }> {
  const changed = new Set(touched.map(({ unit }) => unit.name));
  const stale: TouchedUnit[] = [];
  const problems: string[] = [];
  for (const unit of live.units) {
    if (changed.has(unit.name)) continue;
    const problem = await runningProblem(unit, parts);
    if (problem === undefined) continue;
    stale.push({ unit, written: [], removed: [] });
    problems.push(`${unit.name}: ${problem}`);
    const after = texts.get(unit.name)?.after ?? new Map<string, string>();
    texts.set(unit.name, { before: new Map(), after });
  }
  if (stale.length === 0) return { touched, message: 'what runs is what the files say' };
  const told = problems.join('; ').slice(0, 900);
  if (on_drift === 'refuse') {
    throw rejected(
      'rejected_drift',
      `what runs is not what the files say: ${told}; look at it, or overwrite`,
    );
  }
  const names = new Set([...touched, ...stale].map(({ unit }) => unit.name));
  const inOrder = live.units.filter(({ name }) => names.has(name));
  const all = [...touched, ...stale];
  return {
    touched: inOrder.flatMap((unit) => all.filter((one) => one.unit.name === unit.name)),
    message: `the services read their files again: ${told}`,
  };
}
