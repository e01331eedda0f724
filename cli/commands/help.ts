import { usageError } from '../cli-error.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GroupParts } from './groups.ts';

export function addHelp({ command, terminal, loadAll }: GroupParts): void {
  command.argument('[command...]', 'command, or exit-codes').action(async (words) => {
    const names = words as string[];
    if (names.join(' ') === 'exit-codes') {
      terminal.stdout.write(exitCodeText());
      return;
    }
    await loadAll();
    let found = command.parent ?? command;
    for (const name of names) {
      const next = found.commands.find((one) => one.name() === name || one.aliases().includes(name));
      if (next === undefined) throw usageError(`there is no command ${names.join(' ')}`, 'See: muster help');
      found = next;
    }
    found.outputHelp();
  });
}

export function exitCodeText(): string {
  const lines = Object.values(exitCodes).map(({ code, says }) => `${String(code).padStart(5)}  ${says}\n`);
  return `Exit codes\n\n${lines.join('')}`;
}
