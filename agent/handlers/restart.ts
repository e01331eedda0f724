import { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';
import { Restart } from '../../shared/task-types/restart.ts';
import { handle } from './handler.ts';

/** On disk before the command is given. */
const Note = z.object({ instanceId: z.string(), commandedAt: z.number() });
type Note = z.output<typeof Note>;

/** Replaces the agent by a new process. Only another instance on the same boot proves it, so success is always found by `recover`. */
export const restart = handle(
  Restart,
  async (_parameters, { system, clock, journal, signal, instanceId, timeoutMs }) => {
    signal.throwIfAborted();
    const note: Note = { instanceId, commandedAt: clock.now() };
    journal.write(note);
    await system.power.restartAgent();

    const deadlineMs = timeoutMs / 2;
    await clock.sleep(deadlineMs, signal);
    throw new TaskError(
      'not_restarted',
      `The agent was told to restart and is still the same process ${Math.round(deadlineMs / 1000)} s later`,
    );
  },
  async (_parameters, { bootId, currentBootId, instanceId: startedBy }, { journal, instanceId }) => {
    if (currentBootId !== bootId) {
      throw new TaskError(
        'interrupted',
        `The machine went down while the agent was to restart: boot id ${bootId} became ${currentBootId}`,
      );
    }
    const previous = Note.safeParse(journal.read()).data?.instanceId ?? startedBy;
    return { previous_instance_id: previous, instance_id: instanceId };
  },
);
