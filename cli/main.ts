import { CommanderError } from 'commander';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { systemClock, systemRandom } from '../shared/node/system-clock.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitReason } from './exit-codes.ts';
import { createProgram } from './program.ts';
import { reportError } from './report-error.ts';
import type { Terminal } from './terminal.ts';
import { version } from './version.ts';

/** Runs the command line of this process. */
export async function main(self: NodeJS.Process): Promise<void> {
  const interrupt = new AbortController();
  self.on('SIGINT', () => {
    // The second Ctrl-C does not wait for anything.
    if (interrupt.signal.aborted) self.exit(exitCodes.interrupted.code);
    interrupt.abort();
  });
  self.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read our output has seen enough, as `head` does.
    if (error.code === 'EPIPE') self.exit();
    throw error;
  });
  const reason = await runCommand(self.argv.slice(2), {
    stdin: self.stdin,
    stdout: self.stdout,
    stderr: self.stderr,
    env: self.env,
    signal: interrupt.signal,
    clock: systemClock,
    random: systemRandom,
  });
  self.exitCode = typeof reason === 'number' ? reason : exitCodes[reason].code;
}

/** Runs one command line and says how it ended. */
export async function runCommand(argv: string[], terminal: Terminal): Promise<ExitReason | number> {
  let reason: ExitReason | number = 'ok';
  const program = createProgram(terminal, (given) => {
    reason = given;
  });
  try {
    if (argv[0] === 'complete' && argv[1] === '--') {
      const [{ complete }] = await Promise.all([import('./completion.ts'), program.loadAll()]);
      complete(program.command, argv.slice(2));
      return reason;
    }
    if (isVersionAsked(argv)) {
      terminal.stdout.write(`muster ${version}\n`);
      return reason;
    }
    await program.command.parseAsync(argv, { from: 'user' });
    return reason;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 'ok';
    // A group without a subcommand has printed its help.
    if (error instanceof CommanderError && error.code === 'commander.help') return 'usage';
    if (terminal.signal.aborted || isPromptClosed(error)) return 'interrupted';
    return reportError(error, {
      stderr: terminal.stderr,
      json: wantsJson(argv, terminal.env),
      ...commandOf(program.command, argv),
    });
  }
}

/** `muster --version`, with no command. */
const isVersionAsked = (argv: string[]): boolean =>
  argv.every((word) => word.startsWith('-')) && argv.some((word) => word === '-V' || word === '--version');

/** The command or group that the words call, as far as they do: where to read about it, and what it has. */
function commandOf(root: CommandUnknownOpts, argv: string[]): { seeAlso: string; commands: string[] } {
  let at = root;
  for (const word of argv) at = at.commands.find((command) => command.name() === word) ?? at;
  const names: string[] = [];
  for (let one = at; one.parent !== null; one = one.parent) names.unshift(one.name());
  const commands = at.commands.map((command) => command.name());
  return { seeAlso: ['muster help', ...names].join(' '), commands };
}

const isPromptClosed = (error: unknown): boolean =>
  error instanceof Error && error.name === 'ExitPromptError';

/** Errors may come before the options are understood, so this looks at the bare words. */
function wantsJson(argv: string[], env: Terminal['env']): boolean {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  const asked = words.findLast(
    (word, at) => /^(-f|--format)$/.test(words[at - 1] ?? '') || /^(-f.|--format=)/.test(word),
  );
  if (words.includes('--json')) return true;
  if (asked !== undefined) return asked.replace(/^(--format=|-f)/, '') === 'json';
  return env.MUSTER_OUTPUT_FORMAT === 'json';
}
