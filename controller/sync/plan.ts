import type { z } from 'zod';
import type { DevicePlan, Plan, PlannedFile, PlanRequest } from '../../shared/api/sync.ts';
import type { DeviceProfile } from '../../shared/device-profile.ts';
import { AppError } from '../../shared/errors.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { Desired, DesiredConfiguration } from '../content/desired.ts';
import { DiffBudget } from '../content/diff.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { RolledBackContent } from '../store/device-configs.ts';
import type { DeviceRow } from '../store/devices.ts';
import { candidates } from '../tasks/target-candidates.ts';
import { resolveTargets } from '../tasks/targets.ts';
import { isQuarantined } from './apply.ts';
import { type Known, knownState, rulesOf, type SeenFile, shown } from './known-state.ts';
import { loadDesired } from './load-desired.ts';
import { chunksOf, Pace } from './pace.ts';
import type { SyncParts } from './parts.ts';

type PlannedFile = z.output<typeof PlannedFile>;

/** Devices whose differences fit into one answer. */
const maxWithDiff = 500;
/** Time for the differences of all devices together. */
const diffMs = 10_000;

/** What a SYNC would change on each device, as far as it is known; nothing is stored. */
export async function planSync(
  parts: SyncParts,
  organization: OrganizationRow,
  { targets, diff }: z.output<typeof PlanRequest>,
): Promise<Plan> {
  const found = await candidates(parts.store.devices, organization.id, targets);
  const { devices } = resolveTargets(targets, found, 'SYNC');
  if (diff && devices.length > maxWithDiff) {
    throw new AppError(
      'invalid_parameters',
      `A plan with differences is for at most ${maxWithDiff} devices, these are ${devices.length}: select fewer, or pass diff: false`,
    );
  }
  const desiredOf = await loadDesired(parts, organization.id, devices);
  const budget = diff ? new DiffBudget(() => parts.clock.monotonic(), diffMs) : undefined;
  const pace = new Pace(parts.clock);
  const plans: DevicePlan[] = [];
  for (const chunk of chunksOf(devices)) {
    const ids = chunk.map(({ id }) => id);
    const rolledBack = await parts.store.deviceConfigs.rolledBack(ids);
    for (const device of await parts.store.devices.getMany(ids)) {
      plans.push(await planDevice(parts, device, { desired: desiredOf(device), rolledBack, budget }));
      await pace.turn();
    }
  }
  plans.sort((left, right) => (left.device_name < right.device_name ? -1 : 1));
  return {
    organization: organization.name,
    devices: plans,
    changed: plans.filter(({ changes }) => changes > 0).length,
    unchanged: plans.filter(({ changes, error }) => changes === 0 && error === null).length,
    failed: plans.filter(({ error }) => error !== null).length,
  };
}

async function planDevice(
  parts: SyncParts,
  device: DeviceRow,
  given: { desired: Desired; rolledBack: RolledBackContent[]; budget: DiffBudget | undefined },
): Promise<DevicePlan> {
  const { desired: outcome, rolledBack, budget } = given;
  const common = {
    device_uuid: device.id,
    device_name: device.name,
    synced_content: device.syncedContent,
    drift_status: device.driftStatus,
  };
  if (!outcome.ok) return { ...common, ...failed(outcome) };
  const { desired } = outcome;
  const profile = parts.profiles.get(desired.profile.id);
  const known = await knownState(parts, device, profile);
  const isConfirmed = desired.content === device.syncedContent && device.driftStatus === 'IN_SYNC';
  const files = planFiles(desired, known, { profile, budget, isConfirmed });
  return {
    ...common,
    profile: desired.profile.id,
    bundles: desired.bundles,
    content: desired.content,
    pulled_at: known.state === undefined ? null : rfc3339(known.state.at),
    files,
    changes: files.filter(({ change }) => change !== 'none').length,
    quarantined: isQuarantined(rolledBack, device.id, desired.content),
    error: null,
  };
}

const failed = ({ problem, bundles, profile }: Extract<Desired, { ok: false }>) => ({
  profile,
  bundles,
  content: null,
  pulled_at: null,
  files: [],
  changes: 0,
  quarantined: false,
  error: {
    code: problem.code,
    message: problem.message,
    undefined_variables: problem.undefinedVariables,
    conflicts: problem.conflicts,
  },
});

interface Against {
  profile: DeviceProfile | undefined;
  budget: DiffBudget | undefined;
  /** The device confirmed just this, and nobody saw it drift. */
  isConfirmed: boolean;
}

function planFiles(desired: DesiredConfiguration, known: Known, against: Against): PlannedFile[] {
  const texts = new Map(desired.texts.map(({ sha256, text }) => [sha256, text]));
  const named = new Set([...desired.files, ...desired.absent].map(({ path }) => path));
  const left = known.written.filter(({ path }) => !named.has(path));
  const wanted = desired.files.map(({ path, unit, blob, mode, owner, group }) => {
    const seen = shown(texts.get(blob) ?? '', rulesOf(against.profile, unit));
    return planFile({ path, unit, ...seen, attributes: `${mode} ${owner}:${group}` }, known, against);
  });
  const gone = [...desired.absent, ...left].map((file) => planAbsence(file, known, against));
  return [...wanted, ...gone].sort((first, second) => (first.path < second.path ? -1 : 1));
}

function planFile(
  wanted: SeenFile & { path: string },
  { state }: Known,
  { budget, isConfirmed }: Against,
): PlannedFile {
  const { path, unit } = wanted;
  if (isConfirmed) return { path, unit, change: 'none', diff: null };
  const file = { path, unit };
  if (state === undefined || !state.units.has(unit)) {
    return { ...file, change: 'unknown', ...difference(budget, path, [null, wanted]) };
  }
  const now = state.files.get(path);
  if (now === undefined) return { ...file, change: 'create', ...difference(budget, path, [null, wanted]) };
  if (now.text === null || wanted.text === null) {
    return { ...file, change: 'unknown', diff: null, note: `not shown: ${now.withheld ?? wanted.withheld}` };
  }
  if (now.text !== wanted.text) {
    return { ...file, change: 'change', ...difference(budget, path, [now, wanted]) };
  }
  if (now.attributes === wanted.attributes) return { ...file, change: 'none', diff: null };
  return { ...file, change: 'mode', diff: null, note: `${now.attributes} → ${wanted.attributes}` };
}

function planAbsence(
  { path, unit }: { path: string; unit: string },
  { state }: Known,
  { budget, isConfirmed }: Against,
): PlannedFile {
  if (isConfirmed) return { path, unit, change: 'none', diff: null };
  if (state === undefined || !state.units.has(unit)) return { path, unit, change: 'unknown', diff: null };
  const now = state.files.get(path);
  if (now === undefined) return { path, unit, change: 'none', diff: null };
  return { path, unit, change: 'delete', ...difference(budget, path, [now, null]) };
}

function difference(
  budget: DiffBudget | undefined,
  path: string,
  [before, after]: [SeenFile | null, SeenFile | null],
): { diff: string | null; note?: string } {
  if (budget === undefined) return { diff: null };
  const withheld = [before, after].find((file) => file !== null && file.text === null)?.withheld;
  if (typeof withheld === 'string') return { diff: null, note: `not shown: ${withheld}` };
  const { diff, note } = budget.diff(path, before?.text ?? null, after?.text ?? null);
  return { diff, ...(note !== null && { note }) };
}
