import type { Command } from '@commander-js/extra-typings';
import { repeatable } from '../../arguments/argument-parsers.ts';
import { given } from '../../arguments/given.ts';
import { usageError } from '../../cli-error.ts';
import type { Environment, Open } from '../../environment.ts';
import { runCommand } from './run-options.ts';
import { readText, shebangOf } from './script-text.ts';
import { submit } from './submit.ts';

const examples = `
Examples:
  muster run script --device fw1 --follow cleanup.sh --arg /tmp
  muster run script --all --wait -- uptime -p
  echo 'df -h /' | muster run script --device fw1 --follow -`;

export function addRunScript(group: Command, open: Open): void {
  const command = scriptCommand(group);
  command.addHelpText('after', examples).action(async (words, options) => {
    const environment = await open();
    const payload = {
      ...(await contentOf(split(words, rawWordsOf(command)), options, environment)),
      ...given({
        env: envOf(options.env, environment.terminal.env),
        cwd: options.cwd,
        user: options.user,
        stdin:
          options.input === undefined ? undefined : await readText(options.input, environment.terminal.stdin),
        idempotent: options.idempotent,
      }),
    };
    await submit(environment, { type: 'SCRIPT', payload, options, verb: 'Run the script on' });
  });
}

const scriptCommand = (group: Command) =>
  runCommand(
    group,
    'script',
    'Run a script (FILE, or - for standard input) or a command (after --) on the device; its output is the log',
  )
    .usage('[options] FILE|-   or   [options] -- COMMAND [ARGUMENT...]')
    .argument('[words...]', 'FILE, - or, after --, a command and its arguments')
    .option(
      '--interpreter <command>',
      'program and options that read the script (default: its #! line, else /bin/sh)',
    )
    .option('--arg <argument>', 'argument for the script; repeatable', repeatable)
    .option('--env <name=value>', 'variable for it; NAME alone passes on ours; repeatable', repeatable)
    .option('--cwd <directory>', 'working directory on the device')
    .option('--user <name>', 'user of the device to run as')
    .option('--input <file>', 'what it reads from its standard input; - passes on ours')
    .option('--idempotent', 'may run again after a crash in the middle');

type ScriptOptions = ReturnType<ReturnType<typeof scriptCommand>['opts']>;

interface Words {
  file: string | undefined;
  argv: string[];
}

/** What stands before `--` is the file, what stands behind is a command. */
function split(words: string[], raw: readonly string[]): Words {
  const at = raw.indexOf('--');
  const argv = at === -1 ? [] : raw.slice(at + 1);
  const [file, ...others] = words.slice(0, words.length - argv.length);
  if (others.length > 0) {
    throw usageError(
      `expected one file, got ${[file, ...others].join(' ')}`,
      'Arguments of the script: --arg. A command: muster run script … -- COMMAND',
    );
  }
  if (file !== undefined && argv.length > 0) {
    throw usageError('give a file or a command after --, not both', 'Arguments of the script: --arg');
  }
  if (file === undefined && argv.length === 0)
    throw usageError('nothing to run: give a file, - or a command after --');
  return { file, argv };
}

async function contentOf({ file, argv }: Words, options: ScriptOptions, { terminal }: Environment) {
  if (file === undefined) {
    if (options.arg ?? options.interpreter)
      throw usageError('--arg and --interpreter belong to a script file');
    return { argv };
  }
  if (file === '-' && options.input === '-')
    throw usageError('standard input cannot be both script and --input');
  const script = await readText(file, terminal.stdin);
  const interpreter = options.interpreter?.trim().split(/\s+/) ?? shebangOf(script);
  return { script, ...given({ interpreter, arguments: options.arg }) };
}

/** `NAME=value`, or `NAME` for the value it has here: a secret need not stand on the command line. */
function envOf(
  pairs: string[] | undefined,
  ours: Record<string, string | undefined>,
): Record<string, string> | undefined {
  if (pairs === undefined) return undefined;
  const env: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const name = at === -1 ? pair : pair.slice(0, at);
    const value = at === -1 ? ours[name] : pair.slice(at + 1);
    if (value === undefined) throw usageError(`--env ${name}: there is no variable ${name} here`);
    env[name] = value;
  }
  return env;
}

/** The command line as it was typed; commander keeps it at the root. */
function rawWordsOf(command: object): readonly string[] {
  let root = command as { parent: object | null; rawArgs?: string[] };
  while (root.parent !== null) root = root.parent as typeof root;
  return root.rawArgs ?? [];
}
