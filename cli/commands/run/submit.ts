import type { RunAnswer } from '../../../shared/api/tasks.ts';
import { traitsOf } from '../../../shared/task-types/task-type.ts';
import type { TaskType } from '../../../shared/task-types/task-type.ts';
import { CliError, usageError } from '../../cli-error.ts';
import type { Environment } from '../../environment.ts';
import { confirm } from '../../prompt.ts';
import { isInteractive } from '../../terminal.ts';
import { createdTaskView } from '../../views/run.ts';
import { addToSchedule } from '../schedule/add-to-schedule.ts';
import { conclude, devicesText, namesText, tellSkipped } from './conclude.ts';
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
  const { client, terminal } = environment;
  const { type, payload, options } = submission;
  const wanted = requestOf(type, payload, options, environment);
  if (traitsOf(type).disruptive && options.retries) {
    throw usageError(`${type} is never tried again by itself: leave --retries out`);
  }
  if (options.schedule !== undefined && options.dryRun)
    throw usageError('--schedule does not go with --dry-run');
  if (await addToSchedule(environment, options, { kind: 'RUN', request: wanted })) return;
  if (options.dryRun) {
    showDryRun(environment, await preview(environment, wanted));
    return;
  }
  if (traitsOf(type).disruptive && !options.yes && isInteractive(terminal)) {
    await ask(environment, submission, wanted);
  }
  const answer = await client.tasks.create(wanted, terminal.random.uuid());
  tellSkipped(environment, answer);
  await conclude(environment, answer, options);
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
  const question = `${verb} ${devicesText(total)} (${namesText(tasks.map(({ device_name }) => device_name))})?`;
  if (await confirm(environment.terminal, question)) return;
  throw new CliError('failed', 'nothing was sent', { code: 'declined' });
}
