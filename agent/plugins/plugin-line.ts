import { z } from 'zod';
import { TaskError } from '../../shared/errors.ts';

/** A longer line ends the program: letters, with room for the largest result that a task may have. */
export const maxLineLength = 600_000;
/** Deeper than any report needs, and far from what a recursive reader survives. */
const maxDepth = 32;

/** What a program says, a JSON object with one of these a line. */
const said = {
  /** Kept in the task's log. */
  log: z.string(),
  progress: z.strictObject({
    percent: z.number().min(0).max(100).optional(),
    message: z.string().max(1024).optional(),
  }),
  /** Answered by a line `{"answer": …}`. */
  question: z.strictObject({
    prompt: z.string(),
    options: z.array(z.string()),
    safe: z.string().nullish(),
    deadline_ms: z.int().optional(),
  }),
  /** Last: it is done. */
  result: z.record(z.string(), z.unknown()),
  /** Last: it failed. */
  error: z.strictObject({
    code: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'expected a code as no_route'),
    message: z.string().min(1),
  }),
};
type Said = typeof said;
export type PluginLine = { [Kind in keyof Said]: { kind: Kind; value: z.output<Said[Kind]> } }[keyof Said];

/** Throws `TaskError('bad_output')` for a line that is none of these. */
export function readPluginLine(text: string): PluginLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badOutput(`said what is not JSON: ${shortened(text)}`);
  }
  const [kind = '', ...others] = isObject(value) ? Object.keys(value) : [];
  if (!isObject(value) || others.length > 0 || !Object.hasOwn(said, kind)) {
    const kinds = Object.keys(said).join(', ');
    throw badOutput(`said ${shortened(text)}, and not an object with one of ${kinds}`);
  }
  if (isDeeper(value, maxDepth)) throw badOutput(`said a ${kind} that is nested deeper than ${maxDepth}`);
  const outcome = said[kind as keyof Said].safeParse(value[kind]);
  if (outcome.success) return { kind, value: outcome.data } as PluginLine;
  const [issue] = outcome.error.issues;
  const where = [kind, ...(issue?.path ?? [])].map(String).join('.');
  throw badOutput(shortened(`said a ${kind} that is not valid: ${where}: ${issue?.message ?? 'not valid'}`));
}

/** `what` follows on “The program”. */
export const badOutput = (what: string): TaskError => new TaskError('bad_output', `The program ${what}`);

/** Cuts what comes into lines, and is never left with more than one of the greatest length. */
export class PluginLines {
  readonly #hear: (line: string) => void;
  #rest = '';

  constructor(hear: (line: string) => void) {
    this.#hear = hear;
  }

  push(text: string): void {
    const [end = '', ...more] = text.split('\n');
    // Only what came is looked through: a long line may come letter by letter.
    this.#rest += end;
    this.#requireShort(this.#rest);
    const next = more.pop();
    if (next === undefined) return;
    for (const line of [this.#rest, ...more]) this.#one(line);
    this.#rest = next;
    this.#requireShort(next);
  }

  /** What was not ended by a newline is a line too. */
  end(): void {
    const rest = this.#rest;
    this.#rest = '';
    if (rest !== '') this.#one(rest);
  }

  #one(line: string): void {
    this.#requireShort(line);
    this.#hear(line);
  }

  #requireShort(line: string): void {
    if (line.length > maxLineLength) throw badOutput(`said a line of more than ${maxLineLength} characters`);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1)));

const shortened = (text: string): string =>
  (text.length > 200 ? `${text.slice(0, 200)}…` : text) || 'nothing';
