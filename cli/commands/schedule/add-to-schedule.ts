import type { ScheduledTask } from '../../../shared/api/schedules.ts';
import { usageError } from '../../cli-error.ts';
import type { Environment } from '../../environment.ts';
import { scheduledTaskView } from '../../views/schedule.ts';
import type { OrderOptions } from '../run/run-options.ts';

/**
 * With `--schedule` a command says what a schedule runs from now on, and runs nothing itself. Returns false when the option was not
 * given.
 */
export async function addToSchedule(
  environment: Environment,
  options: OrderOptions,
  { kind, request }: { kind: ScheduledTask['kind']; request: object },
): Promise<boolean> {
  const { schedule } = options;
  if (schedule === undefined) return false;
  const others = (['at', 'wait', 'follow', 'timeout'] as const).filter((name) => options[name] !== undefined);
  if (others.length > 0) {
    throw usageError(`--schedule runs nothing now: it does not go with --${others.join(' and --')}`);
  }
  const { client, output } = environment;
  const made = await client.schedules.addTask({ schedule, kind, request: { ...request } });
  output.one(made, scheduledTaskView);
  output.say(
    `Schedule ${schedule} runs it from now on. Take it away: muster schedule tasks remove ${made.code}`,
  );
  return true;
}
