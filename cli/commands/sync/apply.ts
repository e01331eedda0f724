import type { Command } from '@commander-js/extra-typings';
import type { z } from 'zod';
import type { SyncAnswer, SyncRequest } from '../../../shared/api/sync.ts';
import { oneOf, wholeNumber } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import { CliError } from '../../cli-error.ts';
import type { Environment, Open } from '../../environment.ts';
import type { ExitReason } from '../../exit-codes.ts';
import { confirm } from '../../prompt.ts';
import { isInteractive } from '../../terminal.ts';
import { syncOutcomeView } from '../../views/sync-outcome.ts';
import { outcomeOf } from '../../watch/outcome.ts';
import { addToSchedule } from '../schedule/add-to-schedule.ts';
import { conclude, devicesText, namesText, tellSkipped } from '../run/conclude.ts';
import { orderOf } from '../run/request.ts';
import { orderCommand, whenAndHow } from '../run/run-options.ts';

const onDrift = ['refuse', 'overwrite'] as const;

const applyCommand = (group: Command) =>
  orderCommand(
    group,
    'apply',
    'Apply the desired configuration as a transaction: what cuts a device off from its controller undoes itself',
  )
    .optionsGroup(whenAndHow)
    .option('--force', 'hand out even if the device is busy with other tasks')
    .option('--dry-run', 'the device checks everything and stops before it touches anything')
    .option(
      '--on-drift <what>',
      'when the device was changed by hand: refuse (default) or overwrite',
      oneOf(onDrift),
    )
    .option(
      '--confirm-seconds <number>',
      'how long the device may take until it is confirmed, 30 to 3600 (default: its profile says)',
      wholeNumber(30, 3600),
    )
    .option('--ask', 'each device that changes asks before it applies: answer with muster question')
    .option('--only-changed', 'leave out devices that have it already and did not drift')
    .optionsGroup('Staying with it:')
    .option('-y, --yes', 'do not ask')
    .optionsGroup('Options:');

type ApplyOptions = ReturnType<ReturnType<typeof applyCommand>['opts']>;
type Answer = z.output<typeof SyncAnswer>;

export function addSyncApply(group: Command, open: Open): void {
  applyCommand(group).action(async (options) => {
    const environment = await open();
    const { client, terminal } = environment;
    const wanted = requestOf(options, environment);
    if (await addToSchedule(environment, options, { kind: 'SYNC', request: wanted })) return;
    if (!options.dryRun && !options.yes && isInteractive(terminal)) await ask(environment, wanted);
    const answer = await client.sync
      .apply(wanted, terminal.random.uuid())
      .catch((error: unknown) => tellRefusal(environment, error));
    tellLeftOut(environment, answer);
    const tasks = await conclude(environment, answer, options, {
      view: syncOutcomeView,
      evenAfterLogs: true,
    });
    if (answer.errors.length > 0) environment.exit(exitOf(answer, tasks));
  });
}

const requestOf = (options: ApplyOptions, environment: Environment): SyncRequest => ({
  ...orderOf(options, environment),
  dry_run: options.dryRun === true,
  ask: options.ask === true,
  on_drift: options.onDrift ?? 'refuse',
  only_changed: options.onlyChanged === true,
  force: options.force === true,
  ...given({ confirm_seconds: options.confirmSeconds }),
});

/** The question says what would happen, from a plan that was just made. */
async function ask({ client, terminal, output }: Environment, wanted: SyncRequest): Promise<void> {
  const plan = await client.sync.plan({ targets: wanted.targets, diff: false });
  for (const { device_name, error } of plan.devices) {
    if (error !== null) output.say(`${device_name} cannot be rendered: ${error.message}`);
  }
  const devices = plan.devices.filter(({ error }) => error === null);
  const changes = devices.reduce((sum, { changes }) => sum + changes, 0);
  const names = namesText(devices.map(({ device_name }) => device_name));
  const files = changes === 1 ? '1 file changes' : `${changes} files change`;
  const question = `Apply the configuration to ${devicesText(devices.length)} (${names}; ${files})?`;
  if (await confirm(terminal, question)) return;
  throw new CliError('failed', 'nothing was sent', { code: 'declined' });
}

function tellLeftOut(
  environment: Environment,
  { errors, skipped }: Pick<Answer, 'errors' | 'skipped'>,
): void {
  const { output } = environment;
  const failed = new Set(errors.map(({ device_name }) => device_name));
  tellSkipped(environment, { skipped: skipped.filter(({ device_name }) => !failed.has(device_name)) });
  for (const { device_name, code, error, conflicts, undefined_variables } of errors) {
    const more = [...conflicts, ...undefined_variables.map((name) => `undefined: ${name}`)];
    output.warn(`${device_name}: ${code}: ${error}${more.length > 0 ? ` (${more.join('; ')})` : ''}`);
  }
}

/** When no device can be sent anything the request is refused; what is wrong with each stands in the detail. */
function tellRefusal(environment: Environment, error: unknown): never {
  const { errors } = ((error instanceof CliError ? error.detail : undefined) ?? {}) as Partial<Answer>;
  if (Array.isArray(errors) && !environment.output.isJson) tellLeftOut(environment, { errors, skipped: [] });
  throw error;
}

/** A device that could not even be asked counts as one that failed. */
function exitOf({ total }: Answer, tasks: Parameters<typeof outcomeOf>[0]): ExitReason {
  if (total === 0) return 'failed';
  const ended = [...tasks];
  return ended.length > 0 && outcomeOf(ended) === 'failed' ? 'failed' : 'someFailed';
}
