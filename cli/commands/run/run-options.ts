import type { Command } from '@commander-js/extra-typings';
import { atForms } from '../../../shared/time.ts';
import {
  amount,
  durationMs,
  label,
  portion,
  repeatable,
  wholeNumber,
} from '../../arguments/argument-parsers.ts';

/** A command that makes tasks: which devices, when, how over many of them, and whether to stay with them. */
export const orderCommand = (group: Command, name: string, description: string) =>
  withOrderOptions(group.command(name).description(description));

/** Options that name devices; every command about several devices has them. */
export const withTargets = (command: Command) =>
  command
    .optionsGroup('Devices (at least one; together they are a union):')
    .option(
      '--device <name|regex>',
      'a device by name, or by a regular expression on the whole name; repeatable',
      repeatable,
    )
    .option('--label <key=value>', 'devices that carry the label; repeatable, all must fit', label)
    .option('--ou <name>', 'devices whose label ou is this; repeatable', repeatable)
    .option('--all', 'every ENABLED device')
    .optionsGroup('Options:');

/** The same for a command that stands at the first level. */
export const withOrderOptions = (command: Command) =>
  withTargets(command)
    .optionsGroup(whenAndHow)
    .option('--at <time>', `defer: ${atForms.join('; ')}`)
    .option('--schedule <name>', 'run nothing now: the schedule of that name runs it from now on')
    .option('--expires-in <duration>', 'how long a task may wait for its device, such as 2h', durationMs)
    .option('--task-timeout <duration>', 'how long a task may run on its device, such as 10m', durationMs)
    .option('--batch <number|percent>', 'at most so many devices work at a time', portion)
    .option('--max-failures <number|percent>', 'stop when more tasks than this have failed', amount)
    .option(
      '--canary <number>',
      'so many devices first; all must succeed before the others start',
      wholeNumber(1, 10_000),
    )
    .optionsGroup('Staying with it:')
    .option('--wait', 'stay until all tasks have ended; the exit code says how')
    .option('--follow', 'as --wait, and print the logs as they grow')
    .option(
      '--timeout <duration>',
      'with --wait: leave after this long, such as 10m; the tasks go on',
      durationMs,
    )
    .optionsGroup('Options:');

export type OrderOptions = ReturnType<ReturnType<typeof orderCommand>['opts']>;

/** Heading of the help text, for commands that add to it. */
export const whenAndHow = 'When and how:';

/** A command that sends a task type as it is. */
export const runCommand = (group: Command, name: string, description: string) =>
  orderCommand(group, name, description)
    .optionsGroup(whenAndHow)
    .option('--force', 'hand out even if the device is busy with other tasks')
    .option(
      '--retries <number>',
      'how often a failed task is tried again by itself; never what restarts or powers off',
      wholeNumber(0, 20),
    )
    .option('--retry-delay <duration>', 'how long after the failure (default 60s)', durationMs)
    .option('--dry-run', 'only show which devices it would be')
    .optionsGroup('Staying with it:')
    .option('-y, --yes', 'do not ask')
    .optionsGroup('Options:');

export type RunOptions = ReturnType<ReturnType<typeof runCommand>['opts']>;
