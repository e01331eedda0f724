import tab from '@bomb.sh/tab';
import type { Command } from '@bomb.sh/tab';
import type { CommandUnknownOpts, Option } from '@commander-js/extra-typings';
import { bashCompletion } from './bash-completion.ts';
import type { OutStream } from './terminal.ts';

/** Prints the script that asks `muster complete -- WORDS` at every TAB. */
export function printCompletionScript(shell: string, stdout: OutStream): void {
  if (shell === 'bash') stdout.write(bashCompletion);
  else tab.setup('muster', 'muster', shell);
}

/** Answers such a question. `words` are what was typed after `muster`, the last one unfinished. */
export function complete(program: CommandUnknownOpts, words: string[]): void {
  const globals = program.options;
  addOptions(tab, globals);
  for (const command of program.commands) add(command, command.name(), globals);
  tab.parse(words);
}

function add(command: CommandUnknownOpts, path: string, globals: readonly Option[]): void {
  const entry = tab.command(path, command.description());
  addOptions(entry, [...command.options, ...globals]);
  for (const argument of command.registeredArguments) {
    const choices = choicesOf(argument);
    entry.argument(
      argument.name(),
      (offer) => choices.forEach((choice) => offer(choice, '')),
      argument.variadic,
    );
  }
  for (const subcommand of command.commands) add(subcommand, `${path} ${subcommand.name()}`, globals);
}

function addOptions(entry: Command, options: readonly Option[]): void {
  for (const option of options) {
    if (option.long === undefined || option.long === null) continue;
    const name = option.long.replace(/^--/, '');
    const short = option.short?.replace(/^-/, '');
    if (!option.required && !option.optional) {
      if (short === undefined) entry.option(name, option.description);
      else entry.option(name, option.description, short);
      continue;
    }
    const choices = choicesOf(option);
    entry.option(name, option.description, (offer) => choices.forEach((choice) => offer(choice, '')), short);
  }
}

function choicesOf({ argChoices, parseArg }: Pick<Option, 'argChoices' | 'parseArg'>): readonly string[] {
  return argChoices ?? (parseArg as { words?: readonly string[] } | undefined)?.words ?? [];
}
