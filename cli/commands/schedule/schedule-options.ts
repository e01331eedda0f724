import type { Command } from '@commander-js/extra-typings';
import { durationMs, oneOf, wholeNumber } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';

/** What may be decided about a schedule beside its name and state. */
export const withScheduleOptions = (command: Command<[string | undefined]> | Command<[string]>) =>
  (command as Command<[string]>)
    .option('--cron <expression>', 'minute hour day-of-month month day-of-week, such as "0 2 * * *"')
    .option('--timezone <zone>', 'an IANA name such as Europe/Berlin, or device: of each device its own')
    .option('--description <text>', 'what it is for')
    .option(
      '--overlap <policy>',
      'skip (default): do not fire while its last run is open; or allow',
      oneOf(['skip', 'allow']),
    )
    .option('--retries <number>', 'how often a failed task is tried again', wholeNumber(0, 20))
    .option('--retry-delay <duration>', 'how long after the failure, such as 60s', durationMs);

interface ScheduleOptions {
  cron?: string | undefined;
  timezone?: string | undefined;
  description?: string | undefined;
  overlap?: 'skip' | 'allow' | undefined;
  retries?: number | undefined;
  retryDelay?: number | undefined;
}

export const decidedBy = ({ cron, timezone, description, overlap, retries, retryDelay }: ScheduleOptions) =>
  given({
    cron,
    timezone,
    description,
    overlap,
    max_retries: retries,
    retry_delay_seconds: retryDelay === undefined ? undefined : Math.ceil(retryDelay / 1000),
  });
