import { TaskError } from '../../../shared/errors.ts';
import { resolveProgram } from '../../system/program.ts';
import type { Processes } from '../../system/system.ts';
import type { CommandPlace, RunOptions, TransactionMachine } from '../machine.ts';
import { CandidateViews, noView } from './candidate-view.ts';
import { BoundedText } from './commands-output.ts';
import { LinuxScratch } from './scratch.ts';
import { WorkspaceLayout } from './workspace-layout.ts';

const programPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Of both streams together, as evidence. */
const maxOutputBytes = 65_536;
/** Of stdout: it is compared and kept, so a part of it would be worse than none. */
const maxStdoutBytes = 16 * 1_048_576;

export interface CommandsOptions {
  processes: Processes;
  /** Of all transactions of this device. */
  folder: string;
}

/** Runs the commands of device profiles on this machine: on the host, in the candidate view, in the scratch namespace. */
export function createCommands({ processes, folder }: CommandsOptions): TransactionMachine['run'] {
  const views = new CandidateViews();

  return async (command, place, options) => {
    await resolveProgram(command.argv[0] ?? '', programPath, '/'); // told before a view hides why
    const prefix = await entrance(views, folder, place, options);
    const timeout = AbortSignal.timeout(command.timeout_s * 1000);
    const signal = AbortSignal.any([options.signal, timeout]);
    const output = new BoundedText(maxOutputBytes);
    const stdout: string[] = [];
    let stdoutLength = 0;

    const started = performance.now();
    const [file = '', ...args] = [...prefix, ...command.argv];
    const end = await processes.run(
      { argv: [file, ...args], env: { PATH: programPath } },
      (stream, text) => {
        output.add(text);
        if (stream !== 'stdout') return;
        stdoutLength += text.length;
        if (stdoutLength > maxStdoutBytes) throw tooMuch(command.argv);
        stdout.push(text);
      },
      signal,
    );
    options.signal.throwIfAborted();
    const text = output.toString();
    if (place !== 'host') refuseWithoutView(end.exitCode, text);
    return {
      argv: command.argv,
      exitCode: end.stopped ? null : end.exitCode,
      timedOut: end.stopped && timeout.aborted,
      output: text,
      stdout: stdout.join(''),
      durationMs: Math.round(performance.now() - started),
    };
  };
}

async function entrance(
  views: CandidateViews,
  folder: string,
  place: CommandPlace,
  { workspace, scratch }: RunOptions,
): Promise<string[]> {
  if (place === 'host') return [];
  if (!workspace) throw new Error(`a command in the ${place} view needs a workspace`);
  const view = await views.enter(new WorkspaceLayout(folder, workspace.id), place);
  if (place === 'candidate') return view;
  if (!(scratch instanceof LinuxScratch)) throw new Error('a command in the scratch namespace needs it open');
  return [...scratch.entrance, ...view];
}

function refuseWithoutView(exitCode: number | null, output: string): void {
  const at = output.indexOf(noView.complaint);
  if (exitCode !== noView.exitCode || at === -1) return;
  throw new TaskError(
    'not_viewable',
    `The candidate cannot be shown to a check: ${output.trim().slice(0, 500)}`,
  );
}

const tooMuch = (argv: string[]): TaskError =>
  new TaskError(
    'too_much_output',
    `${argv.join(' ').slice(0, 200)} wrote more than ${maxStdoutBytes} bytes to stdout`,
  );
