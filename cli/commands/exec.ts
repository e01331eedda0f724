import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { Option } from '@commander-js/extra-typings';
import { StreamReset } from '../../shared/node/mux/mux-stream.ts';
import { CliError, usageError } from '../cli-error.ts';
import { OperatorSession } from '../tunnel/operator-session.ts';
import { feedStdin, readOutput, writeRecord } from '../tunnel/terminal-records.ts';
import type { GroupParts } from './groups.ts';
import { sessionOptions, wishOf } from './session/session-options.ts';

/** `muster exec DEVICE -- COMMAND …`: its standard streams are this program's, and so is its exit code. */
export function addExec({ command, open }: GroupParts): void {
  sessionOptions(command)
    .argument('<device>', 'name of the device')
    .argument('<command...>', 'program and arguments; no shell is involved')
    // The default of a lone negated option is not set for commands that are loaded when they are called.
    .addOption(new Option('-n, --no-stdin', 'give the command an empty standard input').default(true))
    .action(async (device, argv, options) => {
      if (argv.length === 0) throw usageError('a command is missing: muster exec DEVICE -- COMMAND');
      const environment = await open();
      const { terminal, exit } = environment;
      await using session = await OperatorSession.open(environment, wishOf(device, options));
      const stream = session.stream({ service: 'exec', argv });
      if (options.stdin)
        void feedStdin(terminal.stdin, stream).catch(() => undefined); // ends with the stream
      else stream.end();
      const interrupt = (): unknown => writeRecord(stream, 'signal', Buffer.from('SIGINT'));
      terminal.signal.addEventListener('abort', interrupt, { once: true });
      const report = await readOutput(stream, {
        stdout: terminal.stdout as unknown as Writable,
        stderr: terminal.stderr as unknown as Writable,
      })
        .catch((error: unknown) => {
          throw failureOf(error, device);
        })
        .finally(() => terminal.stdin.destroy()); // else it would keep this program running
      if (!report) throw new CliError('failed', 'the command was cut off: the session ended before it did');
      exit(report.exit_code ?? 128 + signalNumber(report.signal));
    });
}

/** Refused before it began, or cut off: whoever reads it must know whether it may have run. */
function failureOf(error: unknown, device: string): CliError {
  const reason = error instanceof Error ? error.message : String(error);
  const isRefused = error instanceof StreamReset && ['policy', 'refused'].includes(error.code);
  return isRefused
    ? new CliError('failed', `${device} does not run it: ${reason}`, { code: error.code, cause: error })
    : new CliError('failed', `the command was cut off: ${reason}`, { code: 'session_ended', cause: error });
}

const signalNumber = (name: string | null): number =>
  Object.entries(constants.signals).find(([known]) => known === name)?.[1] ?? 0;
