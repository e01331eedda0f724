import type { Targets } from '../../shared/api/tasks.ts';
import type { DeviceStore } from '../store/devices.ts';
import type { BriefDevice } from './targets.ts';

/** Up to so many names are looked up one by one; beyond that, reading the whole fleet in brief is cheaper. */
const maxLookUps = 20;

/** The devices that targets may mean: those of the names when there are only a few exact names, else all of the organization. */
export async function candidates(
  devices: DeviceStore,
  organizationId: string,
  targets: Targets,
): Promise<BriefDevice[]> {
  const found = onlyFewNames(targets)
    ? await byNames(devices, organizationId, targets.devices ?? [])
    : undefined;
  return found ?? devices.brief(organizationId);
}

const onlyFewNames = ({ devices = [], labels, all, ous }: Targets): boolean =>
  devices.length <= maxLookUps &&
  all !== true &&
  Object.keys(labels ?? {}).length === 0 &&
  (ous?.length ?? 0) === 0;

/** Undefined when one of them is neither name nor id: it may be a pattern. */
async function byNames(
  devices: DeviceStore,
  organizationId: string,
  names: string[],
): Promise<BriefDevice[] | undefined> {
  const found: BriefDevice[] = [];
  for (const name of new Set(names)) {
    const device = (await devices.byName(organizationId, name)) ?? (await devices.get(name));
    if (device?.organizationId !== organizationId) return undefined;
    found.push(device);
  }
  return found;
}
