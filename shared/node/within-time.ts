import { createContext, Script } from 'node:vm';

/** It was ended in its middle. */
class TookTooLong extends Error {}

/** Made once, as each costs milliseconds; `work` is there while it is done. */
const room: { context?: { work?: (() => void) | undefined } } = {};
const script = new Script('work()');

/** Does what somebody else wrote, such as a pattern, for so long at most: without it one that never ends would hold all of the process up. Throws `TookTooLong`. */
export function withinTime<T>(ms: number, work: () => T): T {
  const context = (room.context ??= createContext({}));
  if (context.work) return work(); // within another, whose time counts
  const outcome: T[] = [];
  context.work = () => {
    outcome.push(work());
  };
  try {
    script.runInContext(context, { timeout: ms });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new TookTooLong(`it took more than ${ms} ms`, { cause: error });
  } finally {
    context.work = undefined;
  }
  return outcome[0] as T; // it ended
}
