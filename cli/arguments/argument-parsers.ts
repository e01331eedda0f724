import { InvalidArgumentError } from 'commander';
import { AppError } from '../../shared/errors.ts';
import { parseDuration } from '../../shared/time.ts';

/** Collects the values of an option that may be repeated. */
export const repeatable = (value: string, before: string[] | undefined): string[] => [
  ...(before ?? []),
  value,
];

/** Collects `key=value` of an option that may be repeated. */
export function label(pair: string, before: Record<string, string> | undefined): Record<string, string> {
  const at = pair.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected key=value');
  return { ...before, [pair.slice(0, at)]: pair.slice(at + 1) };
}

/** `10m` as milliseconds. */
export function durationMs(text: string): number {
  try {
    const ms = parseDuration(text);
    if (ms > 0) return ms;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
  }
  throw new InvalidArgumentError('expected a duration such as 45s, 30m, 2h, 3d or 1w');
}

/** `30d` as seconds. Commander takes null for "no value", so never stays a word until `orNull`. */
export const expirySeconds = (text: string): number | 'never' =>
  text.toLowerCase() === 'never' ? 'never' : Math.ceil(durationMs(text) / 1000);

export const orNull = (seconds: number | 'never'): number | null => (seconds === 'never' ? null : seconds);

export const wholeNumber =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
  };

/** `10` or `10%`. */
export function amount(text: string): string {
  if (/^(\d{1,6}|(100|\d{1,2})%)$/.test(text)) return text;
  throw new InvalidArgumentError('expected a number such as 10, or a percentage such as 10%');
}

/** As `amount`, and not 0. */
export function portion(text: string): string {
  if (/^0+%?$/.test(text)) throw new InvalidArgumentError('expected more than 0');
  return amount(text);
}

/** One of the words, in any case; completion offers `words`. */
export const oneOf = <const Word extends string>(words: readonly Word[]) =>
  Object.assign(
    (text: string): Word => {
      const word = words.find((one) => one.toLowerCase() === text.toLowerCase());
      if (word !== undefined) return word;
      throw new InvalidArgumentError(`expected one of ${words.join(', ')}`);
    },
    { words },
  );

/** `--flag`, `--flag true`, `--flag false`. */
export function flag(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new InvalidArgumentError('expected true or false');
}
