import { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';
import { Reboot } from '../../shared/task-types/reboot.ts';
import { handle, type HandlerContext } from './handler.ts';

/** On disk before the command is given: whoever finds it knows that the machine may go down, and never commands it again. */
const Note = z.object({ bootId: z.string(), commandedAt: z.number() });
type Note = z.output<typeof Note>;

/** Reboots the machine. Only another boot id proves it, so this normally ends in `recover`, in the next boot. */
export const reboot = handle(
  Reboot,
  async (_parameters, context) => {
    const { system, clock, journal, signal } = context;
    const bootId = await system.power.bootId();
    signal.throwIfAborted();

    const note: Note = { bootId, commandedAt: clock.now() };
    journal.write(note);
    await commanded(() => system.power.reboot());
    return awaitNewBoot(note, context, deadlineMs(context));
  },
  async (_parameters, interrupted, context) => {
    const note = Note.safeParse(context.journal.read()).data;
    if (interrupted.currentBootId !== interrupted.bootId) {
      return proven(
        note ?? { bootId: interrupted.bootId, commandedAt: interrupted.startedAt },
        interrupted.currentBootId,
        context,
      );
    }
    if (!note) {
      throw new TaskError('interrupted', 'The agent stopped before it had told the machine to reboot');
    }
    // The wall clock may have jumped meanwhile: never wait longer than the whole deadline.
    const passedMs = Math.max(0, context.clock.now() - note.commandedAt);
    return awaitNewBoot(note, context, Math.max(0, deadlineMs(context) - passedMs));
  },
);

/** A machine that refuses has not rebooted, and says why. */
async function commanded(reboot: () => Promise<void>): Promise<void> {
  try {
    await reboot();
  } catch (error) {
    if (!(error instanceof TaskError) || error.code !== 'power_refused') throw error;
    throw new TaskError('not_rebooted', error.message, { cause: error });
  }
}

/** Half of the time-out: the controller still hears what went wrong before its own clock ends the task. */
const deadlineMs = (context: HandlerContext): number => context.timeoutMs / 2;

async function awaitNewBoot(note: Note, context: HandlerContext, waitMs: number) {
  await context.clock.sleep(waitMs, context.signal);
  const bootId = await context.system.power.bootId();
  if (bootId !== note.bootId) return proven(note, bootId, context);
  throw new TaskError(
    'not_rebooted',
    `The machine was told to reboot and still has boot id ${bootId} after ${Math.round(deadlineMs(context) / 1000)} s`,
  );
}

const proven = (note: Note, bootId: string, context: HandlerContext) => ({
  previous_boot_id: note.bootId,
  boot_id: bootId,
  downtime_ms: Math.max(0, context.clock.now() - note.commandedAt),
});
