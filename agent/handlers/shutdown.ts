import { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';
import { Shutdown } from '../../shared/task-types/shutdown.ts';
import { handle, type HandlerContext } from './handler.ts';

/** On disk before the command is given, and after the controller has committed `powering_off`. */
const Note = z.object({ bootId: z.string(), commandedAt: z.number() });
type Note = z.output<typeof Note>;

/** How long a machine may take to go down before it counts as still up. */
const goDownMs = 60_000;

/** Powers the machine off. Success is seen by the controller: the device says `powering_off`, goes, and stays away. */
export const shutdown = handle(
  Shutdown,
  async (_parameters, context) => {
    const { system, clock, journal, signal } = context;
    const bootId = await system.power.bootId();
    await context.reportPhase('powering_off', 'The device powers off');
    signal.throwIfAborted();

    const note: Note = { bootId, commandedAt: clock.now() };
    journal.write(note);
    await system.power.powerOff();
    return awaitEnd(note, context, goDownMs);
  },
  async (_parameters, interrupted, context) => {
    const note = Note.safeParse(context.journal.read()).data;
    if (!note) {
      throw new TaskError('interrupted', 'The agent stopped before it had told the machine to power off');
    }
    if (interrupted.currentBootId !== note.bootId) return proven(note, interrupted.currentBootId);

    const passedMs = Math.max(0, context.clock.now() - note.commandedAt);
    return awaitEnd(note, context, Math.max(0, goDownMs - passedMs));
  },
);

async function awaitEnd(note: Note, context: HandlerContext, waitMs: number) {
  await context.clock.sleep(waitMs, context.signal);
  const bootId = await context.system.power.bootId();
  if (bootId !== note.bootId) return proven(note, bootId);
  throw new TaskError(
    'still_up',
    `The machine was told to power off and is still up ${goDownMs / 1000} s later, with boot id ${bootId}`,
  );
}

const proven = (note: Note, bootId: string) => ({
  powering_off_at: new Date(note.commandedAt).toISOString(),
  link_closed_at: null,
  boot_id: bootId,
});
