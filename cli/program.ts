import { Command, Option } from '@commander-js/extra-typings';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { groups } from './commands/groups.ts';
import { openEnvironment } from './environment.ts';
import type { ExitReason } from './exit-codes.ts';
import { formats } from './settings.ts';
import type { Terminal } from './terminal.ts';

export interface Program {
  command: CommandUnknownOpts;
  /** Gives every command its options and subcommands, as help and completion need them. */
  loadAll(): Promise<void>;
}

/** The command line. A group’s commands are loaded when one of them is called. */
export function createProgram(terminal: Terminal, exit: (reason: ExitReason | number) => void): Program {
  const program = withGlobalOptions(terminal);
  const open = () => openEnvironment(terminal, program.opts(), exit);

  const pending = new Map<string, () => Promise<void>>();
  for (const { name, summary, load } of groups) {
    const command = program.command(name).description(summary);
    pending.set(name, async () =>
      (await load())({ command, open, flags: () => program.opts(), terminal, loadAll }),
    );
  }
  async function loadOne(name: string): Promise<void> {
    const load = pending.get(name);
    pending.delete(name);
    await load?.();
  }
  async function loadAll(): Promise<void> {
    for (const name of [...pending.keys()]) await loadOne(name);
  }
  program.hook('preSubcommand', (_, subcommand) => loadOne(subcommand.name()));
  return { command: program, loadAll };
}

const withGlobalOptions = ({ stdout, stderr }: Terminal) =>
  new Command('muster')
    .description('Runs tasks on firewalls and appliances, and shows a state that is true')
    // Not commander's own: anywhere else than alone it would end `config show DEVICE --version 3`.
    .option('-V, --version', 'print the version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => undefined,
    })
    .option('--url <url>', 'address of the controller (MUSTER_URL)')
    .option('--token-file <file>', 'file that holds the token (or MUSTER_TOKEN)')
    .option('--profile <name>', 'profile to use (MUSTER_PROFILE)')
    .option('-o, --org <name>', 'organization (MUSTER_ORGANIZATION)')
    .addOption(
      new Option('-f, --format <format>', 'how to show data (MUSTER_OUTPUT_FORMAT)').choices(formats),
    )
    .option('--json', 'short for --format json')
    .option('--no-headers', 'leave out the line of column names')
    .option('-q, --quiet', 'print names and codes only, and no talk')
    .option('--no-color', 'no colour (NO_COLOR)')
    .addHelpText('after', '\nMore: muster help COMMAND, muster help exit-codes')
    .addHelpText('afterAll', ({ command }) =>
      command.parent === null ? '' : '\nGlobal options: muster --help',
    );
