import { parseAt, rfc3339, showInZone } from '../../../shared/time.ts';
import type { RunRequest } from '../../../shared/api/tasks.ts';
import type { TaskType } from '../../../shared/task-types/task-type.ts';
import { given } from '../../arguments/given.ts';
import { usageError } from '../../cli-error.ts';
import type { Environment } from '../../environment.ts';
import type { OrderOptions, RunOptions } from './run-options.ts';

/** What is asked of the controller, before `dry_run` is decided. */
export type Wanted = Omit<RunRequest, 'dry_run'>;

export function requestOf(
  type: TaskType,
  payload: Record<string, unknown>,
  options: RunOptions,
  environment: Environment,
): Wanted {
  return {
    type,
    payload,
    force: options.force === true,
    ...orderOf(options, environment),
    ...given({ max_retries: options.retries, retry_delay_seconds: seconds(options.retryDelay) }),
  };
}

/** What every command that makes tasks asks for; tells in which zone `--at` was read. */
export function orderOf(options: OrderOptions, environment: Environment) {
  if (options.timeout !== undefined && !options.wait && !options.follow) {
    throw usageError(
      '--timeout belongs to --wait',
      'To bound how long a task runs on its device: --task-timeout',
    );
  }
  return {
    targets: targetsOf(options),
    ...given({
      scheduled_at: options.at === undefined ? undefined : scheduledAt(options.at, environment),
      expires_in_seconds: seconds(options.expiresIn),
      timeout_seconds: seconds(options.taskTimeout),
      rollout: rolloutOf(options),
    }),
  };
}

export type TargetOptions = Pick<OrderOptions, 'device' | 'label' | 'ou' | 'all'>;

/** The devices that the options name. */
export function targetsOf({ device, label, ou, all }: TargetOptions): Wanted['targets'] {
  if (device === undefined && label === undefined && ou === undefined && all === undefined) {
    throw usageError('no devices: give at least one of --device, --label, --ou and --all');
  }
  return given({ devices: device, labels: label, ous: ou, all });
}

function rolloutOf({ batch, maxFailures, canary }: OrderOptions) {
  if (batch === undefined && maxFailures === undefined && canary === undefined) return undefined;
  return given({ batch, max_failures: maxFailures, canary });
}

/** Undefined for "now". */
function scheduledAt(text: string, { settings, output, terminal }: Environment): string | undefined {
  const { at, zone, warning } = parseAt(text, terminal.clock.now(), settings.zone);
  if (warning !== undefined) output.warn(warning);
  if (text.trim() === '') return undefined;
  output.say(`Scheduled for ${showInZone(at, zone)} (${zone})`);
  return rfc3339(at);
}

const seconds = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.max(1, Math.ceil(ms / 1000));
