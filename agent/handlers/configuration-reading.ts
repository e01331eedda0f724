import type { Unit } from '../../shared/device-profile.ts';
import { TaskError } from '../../shared/errors.ts';
import { EntryChanged } from '../transaction/archive-tree.ts';
import { readSettled } from '../transaction/settled.ts';
import type { Configuration } from './configuration.ts';
import type { HandlerContext } from './handler.ts';

const attempts = 3;
/** A transaction decides within its window to confirm, which is rarely longer. */
const longestWaitMs = 30 * 60_000;

/** The units that a task is about: those it names, or all. */
export function unitsOf({ profile }: Configuration, names: readonly string[] | undefined): Unit[] {
  const unknown = names?.find((name) => !profile.units.some((unit) => unit.name === name));
  if (unknown !== undefined) {
    const known = profile.units.map(({ name }) => name).join(', ');
    throw new TaskError(
      'invalid_parameters',
      `Profile ${profile.id} has no unit ${unknown}; it has ${known}`,
    );
  }
  return profile.units.filter(({ name }) => names?.includes(name) ?? true);
}

/** The device decides to whom its secrets may go. */
export function requireRecipients({ allowedRecipients }: Configuration, recipients: readonly string[]): void {
  const refused = recipients.find(
    (one) => allowedRecipients !== undefined && !allowedRecipients.includes(one),
  );
  if (refused === undefined) return;
  throw new TaskError('policy', `The policy of this device does not allow to encrypt to ${refused}`);
}

/** Reads between transactions, and once more when something changed beside it. */
export async function readConfiguration<Value>(
  { machine }: Configuration,
  { clock, signal, output, timeoutMs }: HandlerContext,
  read: () => Promise<Value>,
): Promise<Value> {
  let told: string | undefined;
  const waiting = (transaction: string): void => {
    if (told !== transaction) output('agent', `waiting for the end of transaction ${transaction}`);
    told = transaction;
  };
  const parts = { clock, signal, maxMs: Math.min(timeoutMs, longestWaitMs), waiting };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readSettled(machine, parts, read);
    } catch (error) {
      if (!(error instanceof EntryChanged)) throw error;
      if (attempt === attempts) {
        throw new TaskError('unstable', `${error.message}, again and again`, { cause: error });
      }
      output('agent', `${error.message}: reading once more`);
    }
  }
}
