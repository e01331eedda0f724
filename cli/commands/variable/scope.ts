import { usageError } from '../../cli-error.ts';
import { labelText } from '../../views/device.ts';

export interface ScopeOptions {
  label?: Record<string, string> | undefined;
  device?: string | undefined;
}

/** Where a variable holds: a device, the devices that carry a label, or (neither given) the whole organization. */
export function scopeOf({ label, device }: ScopeOptions) {
  if (label !== undefined && device !== undefined) {
    throw usageError('--label and --device exclude each other: a variable has one scope');
  }
  if (device !== undefined) return { scope: 'device' as const, key: device };
  if (label === undefined) return { scope: 'organization' as const };
  if (Object.keys(label).length > 1) throw usageError('a variable holds for one label: give --label once');
  return { scope: 'label' as const, key: labelText(label) };
}

export const scopeText = ({ scope, key }: { scope: string; key?: string }): string =>
  key === undefined ? `the ${scope}` : `${scope} ${key}`;
