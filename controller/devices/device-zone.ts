import type { Labels } from '../../shared/ids.ts';
import { isZone, requireZone } from '../../shared/zone-name.ts';
import type { DeviceRow } from '../store/devices.ts';

/** Throws 400 for a label `timezone` that is no zone. One that was there before stays: it must not stand in the way of other labels. */
export function requireZoneLabel({ timezone }: Labels, before: Labels = {}): void {
  if (timezone !== undefined && timezone !== before['timezone']) requireZone(timezone, 'label timezone');
}

/** The zone that schedules of "each device its own" find the device in; null when it says none that is known: then it counts as UTC. */
export function zoneOf({ labels, facts }: Pick<DeviceRow, 'labels' | 'facts'>): string | null {
  const said = labels['timezone'] ?? facts?.['timezone'];
  return typeof said === 'string' && isZone(said) ? said : null;
}
