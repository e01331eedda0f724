import { TaskError } from '../../shared/errors.ts';
import { Script } from '../../shared/task-types/script.ts';
import type { AskDoor, ProcessEnd } from '../system/system.ts';
import { handle, type HandlerContext } from './handler.ts';
import { LineOutput } from './line-output.ts';

/** Runs a script or a command and succeeds only with exit code 0. */
export const script = handle(
  Script,
  async (parameters, { system, clock, output, signal, ask }) => {
    const { env, cwd, user, stdin } = parameters;
    await using door = await askDoor(system, user, { ask, output });
    await using file =
      parameters.script === undefined
        ? undefined
        : await system.processes.scriptFile(parameters.script, user);
    const argv = file ? [...parameters.interpreter, file.path] : (parameters.argv ?? []);

    const lines = new LineOutput(output);
    const startedMs = clock.monotonic();
    const end = await system.processes.run(
      {
        argv: [...argv, ...parameters.arguments] as [string, ...string[]], // the contract demands a program
        env: { ...env, ...door?.env },
        ...(door ? { programs: door.programs } : {}),
        ...(cwd === undefined ? {} : { cwd }),
        ...(user === undefined ? {} : { user }),
        ...(stdin === undefined ? {} : { stdin }),
      },
      lines.write,
      signal,
    );
    lines.end();
    if (end.stopped) signal.throwIfAborted();

    const result = {
      exit_code: end.exitCode,
      signal: end.signal,
      duration_ms: Math.round(clock.monotonic() - startedMs),
      stdout_lines: lines.lines.stdout,
      stderr_lines: lines.lines.stderr,
      truncated: lines.truncated,
    };
    const failure = failureOf(end);
    if (failure)
      throw new TaskError(failure.code, withLastWords(failure.message, lines.lastError), { result });
    return result;
  },
  async (parameters) => {
    if (parameters.idempotent) return 'rerun';
    throw new TaskError(
      'interrupted',
      'The agent or the machine stopped while the script ran: how far it came is unknown, and it is not marked idempotent',
    );
  },
);

/** Not being able to ask is told when it is, and fails only who asks. */
async function askDoor(
  system: HandlerContext['system'],
  user: string | undefined,
  { ask, output }: Pick<HandlerContext, 'ask' | 'output'>,
): Promise<AskDoor | undefined> {
  try {
    return await system.processes.askDoor(user, ask);
  } catch (error) {
    if (!(error instanceof TaskError)) {
      output('agent', `The script cannot ask: ${error instanceof Error ? error.message : String(error)}`);
    }
    return undefined; // a user that it cannot run as is told by the start itself
  }
}

function failureOf({ exitCode, signal }: ProcessEnd): { code: string; message: string } | undefined {
  if (exitCode === 0) return undefined;
  if (exitCode !== null) return { code: 'exit_code', message: `The script ended with exit code ${exitCode}` };
  return { code: 'killed', message: `The script was killed by ${signal ?? 'an unknown signal'}` };
}

const withLastWords = (message: string, lastError: string): string =>
  lastError === '' ? message : `${message}; its last line on stderr: ${lastError}`;
