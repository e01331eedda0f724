import { CliError, usageError } from './cli-error.ts';
import { isInteractive } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** Asks a yes-or-no question on the terminal; no is the default. */
export async function confirm(terminal: Terminal, question: string): Promise<boolean> {
  const prompts = await import('@inquirer/prompts');
  return await prompts.confirm({ message: question, default: false }, onTerminal(terminal));
}

/** Asks before something that nobody should do by mistake. Where nobody can be asked it needs `--yes`. */
export async function confirmLasting(
  terminal: Terminal,
  { yes, action, question }: { yes: boolean; action: string; question: string },
): Promise<void> {
  requireYes(terminal, { yes, action });
  if (yes || (await confirm(terminal, question))) return;
  throw new CliError('failed', 'nothing was changed', { code: 'declined' });
}

/** For commands that work for a while before they ask: refuses at once where nobody could answer. */
export function requireYes(terminal: Terminal, { yes, action }: { yes: boolean; action: string }): void {
  if (!yes && !isInteractive(terminal)) throw usageError(`${action}: without a terminal it needs --yes`);
}

/** Asks for a line of text. Undefined when nobody is there, or nothing was typed. */
export async function askText(terminal: Terminal, question: string): Promise<string | undefined> {
  if (!isInteractive(terminal)) return undefined;
  const prompts = await import('@inquirer/prompts');
  const text = await prompts.input({ message: question }, onTerminal(terminal));
  return text.trim() || undefined;
}

/** Asks for a secret that is not shown. Undefined when nobody is there, or nothing was typed. */
export async function askSecret(terminal: Terminal, question: string): Promise<string | undefined> {
  if (!isInteractive(terminal)) return undefined;
  const prompts = await import('@inquirer/prompts');
  const secret = await prompts.password({ message: question, mask: '*' }, onTerminal(terminal));
  return secret.trim() || undefined;
}

/** Questions are talk: they go to stderr, so that stdout stays data. */
const onTerminal = ({ stderr, signal }: Terminal) => ({
  output: stderr as NodeJS.WriteStream,
  signal,
});
