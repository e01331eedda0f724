import { CommanderError } from 'commander';
import { AppError } from '../shared/errors.ts';
import { CliError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';
import type { ExitReason } from './exit-codes.ts';
import type { OutStream } from './terminal.ts';

export interface ErrorReport {
  stderr: OutStream;
  json: boolean;
  /** Where to read about the command that was used wrongly: `muster help task list`. */
  seeAlso: string;
}

/** Tells an error on stderr (as JSON when `json`) and says how to end. */
export function reportError(error: unknown, { stderr, json, seeAlso }: ErrorReport): ExitReason {
  const told = understand(error, seeAlso);
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

function understand(error: unknown, seeAlso: string): CliError {
  if (error instanceof CliError) return error;
  if (error instanceof CommanderError) return usageOf(error, seeAlso);
  if (error instanceof AppError) {
    return new CliError('usage', error.message, { code: error.code, detail: error.detail });
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new CliError('failed', `unexpected: ${text}`, { code: 'internal', cause: error });
}

/** Commander’s `error: unknown command 'lst'\n(Did you mean list?)` in our form. */
function usageOf(error: CommanderError, seeAlso: string): CliError {
  const [first = '', ...others] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = others.join(' ').replace(/^\(|\)$/g, '');
  return new CliError('usage', first, { hint: suggestion || `See: ${seeAlso}` });
}
