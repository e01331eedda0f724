import { CommandError, exitCodes } from './command-error.ts';

/** A configuration that cannot be used; each problem names file and line, or variable, and key. */
export const configError = (problems: string[]): CommandError =>
  new CommandError(problems.join('\n'), exitCodes.usage);
