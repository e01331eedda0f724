import { CommanderError } from 'commander';
import { AppError } from '../shared/errors.ts';
import { CliError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitReason } from './exit-codes.ts';
import { otherWord } from './other-words.ts';
import type { OutStream } from './terminal.ts';

export interface ErrorReport {
  stderr: OutStream;
  json: boolean;
  /** Where to read about the command that was used wrongly: `muster help task list`. */
  seeAlso: string;
  /** What that command has. */
  commands: string[];
}

/** Tells an error on stderr (as JSON when `json`) and says how to end. */
export function reportError(error: unknown, { stderr, json, ...place }: ErrorReport): ExitReason {
  const told = understand(error, place);
  if (json) {
    stderr.write(
      `${JSON.stringify({
        error: told.message,
        code: told.code,
        detail: told.detail,
        hint: told.hint,
        request_id: told.requestId,
        exit_code: exitCodes[told.exit].code,
      })}\n`,
    );
    return told.exit;
  }
  const request = told.requestId === undefined ? '' : ` (request ${told.requestId})`;
  stderr.write(`muster: ${told.message}${request}\n`);
  if (told.hint !== undefined) stderr.write(`${told.hint}\n`);
  return told.exit;
}

type Place = Pick<ErrorReport, 'seeAlso' | 'commands'>;

function understand(error: unknown, place: Place): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof CommanderError) return usageOf(error, place);
  if (error instanceof AppError) {
    return new CliError('usage', error.message, { code: error.code, detail: error.detail });
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new CliError('failed', `unexpected: ${text}`, { code: 'internal', cause: error });
}

/** Commander’s `error: unknown command 'lst'\n(Did you mean list?)` in our form. */
function usageOf(error: CommanderError, { seeAlso, commands }: Place): CliError {
  const [first = '', ...others] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = others.join(' ').replace(/^\(|\)$/g, '');
  const word = /^unknown command '(.*)'$/.exec(first)?.[1];
  const other = word === undefined ? undefined : otherWord(word, commands);
  const hint = other === undefined ? suggestion || `See: ${seeAlso}` : `Did you mean ${other}?`;
  return new CliError('usage', first, { hint });
}
