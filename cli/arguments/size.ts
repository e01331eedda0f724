import { InvalidArgumentError } from 'commander';

const units: Record<string, number> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `4GiB` as bytes. */
export function size(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,15})\s?(KiB|MiB|GiB|TiB|)$/.exec(text) ?? [];
  const bytes = digits === undefined ? Number.NaN : Number(digits) * (units[unit] ?? Number.NaN);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError('expected a number of bytes, such as 4GiB, 512MiB or 1048576');
}
