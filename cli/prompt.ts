import { isInteractive } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** Asks a yes-or-no question on the terminal; no is the default. */
export async function confirm(terminal: Terminal, question: string): Promise<boolean> {
  const prompts = await import('@inquirer/prompts');
  return await prompts.confirm({ message: question, default: false }, onTerminal(terminal));
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
