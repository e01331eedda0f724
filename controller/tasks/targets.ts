import type { DeviceStatus } from '../../shared/api/devices.ts';
import type { Targets } from '../../shared/api/tasks.ts';
import { AppError } from '../../shared/errors.ts';
import type { Labels } from '../../shared/ids.ts';
import type { TaskType } from '../../shared/task-types/task-type.ts';
import { matchNames } from '../devices/name-pattern.ts';
import { listed } from './listed.ts';
import { noDevice } from './unknown-names.ts';
import { lacking } from './find-task-type.ts';

export interface BriefDevice {
  id: string;
  name: string;
  status: DeviceStatus;
  labels: Labels;
  taskTypes: string[];
  agentVersion: string | null;
}

export interface ResolvedTargets {
  devices: BriefDevice[];
  skipped: { device_name: string; reason: string }[];
}

/** Patterns in one request: each is tried on every device. Plain names are not counted. */
const maxPatterns = 100;

/**
 * The union of all targets, each device once, by name.
 *
 * A device named directly must be able to do it, else the whole request is refused; devices reached by a pattern, label or `all`
 * are skipped with a reason. Whatever matches nothing (a name, a pattern, the labels, a unit) refuses the whole request, all of it named.
 */
export function resolveTargets(targets: Targets, devices: BriefDevice[], type: TaskType): ResolvedTargets {
  if (!selectsSomething(targets)) {
    throw new AppError(
      'bad_request',
      'targets is not valid: expected at least one of devices, labels, all, ous',
    );
  }
  const chosen = new Map<string, { device: BriefDevice; named: boolean }>();
  const unresolved = [
    ...addNamed(targets.devices ?? [], devices, chosen),
    ...emptySelectors(targets, devices),
  ];
  if (unresolved.length > 0) throw noDevice(unresolved, devices);
  for (const device of devices) {
    if (!chosen.has(device.id) && isSelected(targets, device))
      chosen.set(device.id, { device, named: false });
  }
  return splitByAbility([...chosen.values()], type);
}

const selectsSomething = ({ devices, labels, all, ous }: Targets): boolean =>
  (devices?.length ?? 0) > 0 ||
  Object.keys(labels ?? {}).length > 0 ||
  all === true ||
  (ous?.length ?? 0) > 0;

function isSelected({ labels, all, ous }: Targets, device: BriefDevice): boolean {
  if (all === true) return true;
  const wanted = Object.entries(labels ?? {});
  if (wanted.length > 0 && wanted.every(([key, value]) => device.labels[key] === value)) return true;
  return ous?.some((ou) => device.labels['ou'] === ou) ?? false;
}

/** A misspelt label must not quietly leave devices out. */
function emptySelectors({ labels = {}, ous = [] }: Targets, devices: BriefDevice[]): string[] {
  const selectsNone = (targets: Targets) => !devices.some((device) => isSelected(targets, device));
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return [
    ...(pairs.length > 0 && selectsNone({ labels }) ? [`label ${pairs.join(',')}`] : []),
    ...[...new Set(ous)].filter((ou) => selectsNone({ ous: [ou] })).map((ou) => `ou ${ou}`),
  ];
}

/** Returns the names and patterns that match nothing. */
function addNamed(
  names: string[],
  devices: BriefDevice[],
  chosen: Map<string, { device: BriefDevice; named: boolean }>,
): string[] {
  const byName = new Map(devices.map((device) => [device.name, device]));
  const byId = new Map(devices.map((device) => [device.id, device]));
  const unresolved: string[] = [];
  const patterns: string[] = [];
  for (const name of new Set(names)) {
    const device = byName.get(name) ?? byId.get(name);
    if (device) chosen.set(device.id, { device, named: true });
    else if (isPlain(name)) unresolved.push(name);
    else patterns.push(name);
  }
  if (patterns.length > maxPatterns) {
    throw new AppError(
      'bad_request',
      `targets.devices is not valid: expected at most ${maxPatterns} regular expressions, got ${patterns.length}`,
    );
  }
  for (const pattern of patterns) {
    const { matched } = matchNames(devices, pattern);
    if (matched.length === 0) unresolved.push(pattern);
    for (const device of matched) if (!chosen.has(device.id)) chosen.set(device.id, { device, named: false });
  }
  return unresolved;
}

/** A text that as a pattern matches itself only, and so nothing when no device has that name. */
const isPlain = (name: string): boolean => /^[A-Za-z0-9_-]+$/.test(name);

function splitByAbility(chosen: { device: BriefDevice; named: boolean }[], type: TaskType): ResolvedTargets {
  const able: BriefDevice[] = [];
  const refused: { device_name: string; reason: string; unsupported: boolean }[] = [];
  const skipped: ResolvedTargets['skipped'] = [];
  for (const { device, named } of chosen) {
    const obstacle = obstacleOf(device, type);
    if (obstacle === undefined) able.push(device);
    else if (named) refused.push({ device_name: device.name, ...obstacle });
    else skipped.push({ device_name: device.name, reason: obstacle.reason });
  }
  if (refused.length > 0) {
    const told = refused.map(({ device_name, reason }) => `${device_name}: ${reason}`);
    throw new AppError(
      refused.every(({ unsupported }) => unsupported) ? 'task_type_not_supported' : 'unresolved_targets',
      `${type} cannot be sent to ${listed(told)}`,
      { detail: { refused: refused.map(({ device_name, reason }) => ({ device_name, reason })) } },
    );
  }
  if (able.length === 0) {
    throw new AppError('unresolved_targets', `No selected device can be sent ${type}`, {
      detail: { skipped },
    });
  }
  const byName =
    <T>(name: (one: T) => string) =>
    (left: T, right: T) =>
      name(left) < name(right) ? -1 : 1;
  return {
    devices: able.sort(byName((device) => device.name)),
    skipped: skipped.sort(byName((one) => one.device_name)),
  };
}

function obstacleOf(
  device: BriefDevice,
  type: TaskType,
): { reason: string; unsupported: boolean } | undefined {
  if (device.status !== 'ENABLED') {
    const reason = device.status === 'PENDING' ? 'the device is not approved yet' : 'the device is disabled';
    return { reason, unsupported: false };
  }
  // Before its first hello nothing is known of its task types: it may refuse by itself.
  if (device.taskTypes.length > 0 && !device.taskTypes.includes(type)) {
    return { reason: lacking(type, device.taskTypes), unsupported: true };
  }
  return undefined;
}
