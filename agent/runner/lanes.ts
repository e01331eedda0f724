import { knownTraits, type Lane, type TaskType, traitsOf } from '../../shared/task-types/task-type.ts';

export type Slots = Record<Lane, number>;

/** A task that occupies a slot: accepted or running. */
export interface Occupant {
  code: string;
  type: string;
}

/** Why the task cannot be taken now, or undefined when there is room. */
export function whyBusy(
  task: { type: TaskType; force: boolean },
  occupants: readonly Occupant[],
  slots: Slots,
): string | undefined {
  const { lane, needsIdle } = traitsOf(task.type);
  const beside = occupants.filter(({ type }) => knownTraits(type)?.lane === lane);
  if (beside.length >= slots[lane]) {
    return `All ${slots[lane]} slots of lane ${lane} are taken, by ${codesOf(beside)}`;
  }
  if (task.force) return undefined;

  // Open sessions do not count as work.
  const working = occupants.filter(({ type }) => knownTraits(type)?.lane !== 'connect');
  if (needsIdle && working.length > 0) {
    return `${task.type} needs an idle device, which works on ${codesOf(working)}`;
  }
  const alone = working.filter(({ type }) => knownTraits(type)?.needsIdle);
  if (alone.length > 0 && lane !== 'connect') return `Nothing runs beside ${codesOf(alone)}`;
  return undefined;
}

const codesOf = (occupants: readonly Occupant[]): string =>
  occupants.map(({ code, type }) => `${type} ${code}`).join(', ');
