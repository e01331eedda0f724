import type { Targets } from '../../shared/api/tasks.ts';
import { closest } from '../../shared/closest.ts';
import { AppError } from '../../shared/errors.ts';
import { DeviceName } from '../../shared/ids.ts';
import { listed } from './listed.ts';
import type { BriefDevice } from './targets.ts';

/** Each is compared with every device: beyond so many, the first ones tell enough. */
const maxSuggestions = 5;

/** What names and patterns that match nothing are refused with; names with the nearest one that there is. */
export function noDevice(unresolved: string[], devices: Pick<BriefDevice, 'name'>[]): AppError {
  const names = devices.map(({ name }) => name);
  const told = unresolved.map((text, index) => {
    const near = index < maxSuggestions ? closest(text, names) : undefined;
    return near === undefined ? text : `${text} (did you mean ${near}?)`;
  });
  return new AppError('unresolved_targets', `No device matches ${listed(told)}`, { detail: { unresolved } });
}

/**
 * Throws for names of devices that do not exist, for what is run later only: patterns, labels and units may match devices that are
 * still to come.
 */
export function requireNames({ devices: texts = [] }: Targets, devices: BriefDevice[]): void {
  const known = new Set(devices.flatMap(({ id, name }) => [id, name]));
  const unknown = texts.filter((text) => !known.has(text) && isName(text) && !matches(text, devices));
  if (unknown.length > 0) throw noDevice(unknown, devices);
}

const isName = (text: string): boolean => DeviceName.safeParse(text).success;

/** A dot may have been meant as that of a pattern. */
const matches = (text: string, devices: BriefDevice[]): boolean => {
  const pattern = new RegExp(`^(?:${text})$`);
  return devices.some(({ name }) => pattern.test(name));
};
