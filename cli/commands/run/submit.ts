import type { RunAnswer } from '../../../shared/api/tasks.ts';
import { taskTypes } from '../../../shared/task-types/task-type.ts';
import type { TaskType } from '../../../shared/task-types/task-type.ts';
import { CliError } from '../../cli-error.ts';
import type { Environment } from '../../environment.ts';
import { confirm } from '../../prompt.ts';
import { isInteractive } from '../../terminal.ts';
import { createdTaskView } from '../../views/run.ts';
import { taskOutcomeView } from '../../views/task.ts';
import { attend } from '../../watch/attend.ts';
import { outcomeOf } from '../../watch/outcome.ts';
import { runSource } from '../../watch/source.ts';
import { requestOf } from './request.ts';
import type { Wanted } from './request.ts';
import type { RunOptions } from './run-options.ts';

export interface Submission {
  type: TaskType;
  payload: Record<string, unknown>;
  options: RunOptions;
  /** What happens to the devices, for the question: `Reboot`. */
  verb: string;
}

/** Makes the tasks and, when asked to, stays until they have ended. */
export async function submit(environment: Environment, submission: Submission): Promise<void> {
  const { client, output, terminal } = environment;
  const { type, payload, options } = submission;
  const wanted = requestOf(type, payload, options, environment);
  if (options.dryRun) {
    showDryRun(environment, await preview(environment, wanted));
    return;
  }
  if (taskTypes[type].disruptive && !options.yes && isInteractive(terminal)) {
    await ask(environment, submission, wanted);
  }
  const answer = await client.tasks.create(wanted, terminal.random.uuid());
  tellSkipped(environment, answer);
  if (options.wait || options.follow) {
    await stay(environment, answer, options);
    return;
  }
  if (output.isJson) output.json(answer);
  else output.list(answer.tasks, createdTaskView);
  output.say(`${tasksText(answer.total)}. See the end of it: ${resumeCommand(answer)}`);
}

const preview = ({ client, terminal }: Environment, wanted: Wanted): Promise<RunAnswer> =>
  client.tasks.create({ ...wanted, dry_run: true }, terminal.random.uuid());

function showDryRun(environment: Environment, answer: RunAnswer): void {
  const { output } = environment;
  tellSkipped(environment, answer);
  if (output.isJson) {
    output.json(answer);
    return;
  }
  output.list(answer.tasks, {
    ...createdTaskView,
    noun: 'devices',
    key: ({ device_name }) => device_name,
    columns: createdTaskView.columns.filter(({ head }) => head === 'DEVICE'),
  });
  output.say(`${answer.type} would go to ${devicesText(answer.total)}; nothing was created`);
}

async function ask(environment: Environment, { verb }: Submission, wanted: Wanted): Promise<void> {
  const { tasks, total } = await preview(environment, wanted);
  const names = tasks.slice(0, 5).map(({ device_name }) => device_name);
  const more = total > names.length ? `, and ${total - names.length} more` : '';
  const question = `${verb} ${devicesText(total)} (${names.join(', ')}${more})?`;
  if (await confirm(environment.terminal, question)) return;
  throw new CliError('failed', 'nothing was sent', { code: 'declined' });
}

async function stay(environment: Environment, answer: RunAnswer, options: RunOptions): Promise<void> {
  const { client, settings } = environment;
  if (answer.run === null) throw new CliError('failed', 'the controller named no run to wait for');
  const tasks = await attend(environment, {
    source: runSource(client, answer.run, settings.organization),
    follow: options.follow === true,
    timeoutMs: options.timeout,
    resume: `The tasks go on. Come back with: ${resumeCommand(answer)}\nCancel with: muster run cancel ${answer.run} [--request]`,
  });
  tasks.sort((left, right) => left.device_name.localeCompare(right.device_name, 'en'));
  showOutcome(environment, { ...answer, tasks }, options.follow === true);
}

function showOutcome(environment: Environment, outcome: Outcome, follow: boolean) {
  const { output } = environment;
  // With --follow the logs are the data; the outcome has been told line by line.
  if (output.isJson && !follow) output.json(outcome);
  else if (!follow) output.list(outcome.tasks, taskOutcomeView);
  environment.exit(outcomeOf(outcome.tasks));
}

type Outcome = Omit<RunAnswer, 'tasks'> & { tasks: Awaited<ReturnType<typeof attend>> };

function tellSkipped({ output }: Environment, { skipped }: RunAnswer): void {
  for (const { device_name, reason } of skipped) output.say(`Skipped ${device_name}: ${reason}`);
}

function resumeCommand({ run, tasks }: RunAnswer): string {
  const [only] = tasks;
  return tasks.length === 1 && only ? `muster task watch ${only.task}` : `muster run watch ${run}`;
}

const tasksText = (count: number): string => (count === 1 ? '1 task' : `${count} tasks`);
const devicesText = (count: number): string => (count === 1 ? '1 device' : `${count} devices`);
