import type { RunAnswer, Task } from '../../../shared/api/tasks.ts';
import { CliError } from '../../cli-error.ts';
import type { Environment } from '../../environment.ts';
import type { View } from '../../output/view.ts';
import { createdTaskView } from '../../views/run.ts';
import { taskOutcomeView } from '../../views/task.ts';
import { attend } from '../../watch/attend.ts';
import { outcomeOf } from '../../watch/outcome.ts';
import { runSource } from '../../watch/source.ts';
import type { OrderOptions } from './run-options.ts';

type StayOptions = Pick<OrderOptions, 'wait' | 'follow' | 'timeout'>;

/** How the end of the tasks is shown. */
export interface Ending {
  view: View<Task>;
  /** Shown beside the logs of --follow too: the logs alone do not say it. */
  evenAfterLogs: boolean;
}

const taskEnding: Ending = { view: taskOutcomeView, evenAfterLogs: false };

/** After tasks were made: shows them or, when asked to, stays until they have ended and shows that. Returns the tasks that it stayed with. */
export async function conclude(
  environment: Environment,
  answer: RunAnswer,
  options: StayOptions,
  ending: Ending = taskEnding,
): Promise<Task[]> {
  const { output } = environment;
  if ((options.wait || options.follow) && answer.run !== null) {
    const tasks = await stay(environment, answer, options);
    showOutcome(environment, { ...answer, tasks }, { ending, follow: options.follow === true });
    return tasks;
  }
  if (output.isJson) output.json(answer);
  else output.list(answer.tasks, createdTaskView);
  if (answer.total > 0) output.say(`${tasksText(answer.total)}. See the end of it: ${resumeCommand(answer)}`);
  return [];
}

export function tellSkipped({ output }: Environment, { skipped }: Pick<RunAnswer, 'skipped'>): void {
  for (const { device_name, reason } of skipped) output.say(`Skipped ${device_name}: ${reason}`);
}

/** Stays with the tasks of an answer until all have ended; in the order of the devices' names. */
export async function stay(
  environment: Environment,
  answer: RunAnswer,
  options: StayOptions,
): Promise<Task[]> {
  const { client, settings } = environment;
  if (answer.run === null) throw new CliError('failed', 'the controller named no run to wait for');
  const tasks = await attend(environment, {
    source: runSource(client, answer.run, settings.organization),
    follow: options.follow === true,
    timeoutMs: options.timeout,
    resume: `The tasks go on. Come back with: ${resumeCommand(answer)}\nCancel with: muster run cancel ${answer.run} [--request]`,
  });
  return tasks.sort((left, right) => left.device_name.localeCompare(right.device_name, 'en'));
}

function showOutcome(
  environment: Environment,
  outcome: Omit<RunAnswer, 'tasks'> & { tasks: Task[] },
  { ending, follow }: { ending: Ending; follow: boolean },
): void {
  const { output } = environment;
  // With --follow the logs are the data; JSON there is one object a line.
  if (output.isJson && !follow) output.json(outcome);
  else if (!output.isJson && (!follow || ending.evenAfterLogs)) output.list(outcome.tasks, ending.view);
  environment.exit(outcomeOf(outcome.tasks));
}

function resumeCommand({ run, tasks }: RunAnswer): string {
  const [only] = tasks;
  return tasks.length === 1 && only ? `muster task watch ${only.task}` : `muster run watch ${run}`;
}

const tasksText = (count: number): string => (count === 1 ? '1 task' : `${count} tasks`);
export const devicesText = (count: number): string => (count === 1 ? '1 device' : `${count} devices`);

/** The first names of many. */
export function namesText(names: string[]): string {
  const more = names.length > 5 ? `, and ${names.length - 5} more` : '';
  return `${names.slice(0, 5).join(', ')}${more}`;
}
