import { cellText } from './table.ts';
import type { Cell } from './view.ts';

/** One field a line, values aligned; fields without a value are left out. */
export function detailedText(fields: [label: string, value: Cell][]): string {
  const shown = fields
    .map(([label, value]) => [label, cellText(value)] as const)
    .filter(([, text]) => text !== '');
  const width = Math.max(0, ...shown.map(([label]) => label.length)) + 2;
  return shown.map(([label, text]) => `${`${label}:`.padEnd(width)}${text}\n`).join('');
}
