import { InvalidArgumentError } from 'commander';

/** `12`, or `latest`. */
export function version(text: string): string {
  if (/^([1-9]\d{0,8}|latest)$/.test(text)) return text;
  throw new InvalidArgumentError('expected the number of a version, or latest');
}
