import Table from 'cli-table3';
import { plain } from './plain.ts';
import type { Cell } from './view.ts';

const borderless = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

export interface TableParts {
  head: string[] | undefined;
  rows: Cell[][];
  borders: boolean;
}

/** Columns side by side; lines end without blanks. */
export function tableText({ head, rows, borders }: TableParts): string {
  const table = new Table({
    ...(head ? { head } : {}),
    // cli-table3 would colour heads and borders whether or not there is a terminal.
    style: {
      head: [],
      border: [],
      compact: true,
      ...(borders ? {} : { 'padding-left': 0, 'padding-right': 0 }),
    },
    ...(borders ? {} : { chars: borderless }),
  });
  for (const row of rows) table.push(row.map(cellText));
  const lines = table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
  return `${lines.join('\n')}\n`;
}

export function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  return typeof cell === 'object' ? cell.painted : plain(String(cell));
}
