import type { RetentionPlan } from '../../shared/api/backups.ts';
import { bytesText } from '../output/bytes.ts';
import type { View } from '../output/view.ts';

export interface RetentionRow {
  archive: string;
  device_name: string;
  made_at: string;
  what: 'keep' | 'delete';
  size: number | undefined;
  reasons: string[];
}

/** One row per archive, by device, newest first. */
export function retentionRows(plan: RetentionPlan): RetentionRow[] {
  const rows: RetentionRow[] = [
    ...plan.keep.map((one) => ({ ...one, what: 'keep' as const, size: undefined })),
    ...plan.delete.map((one) => ({ ...one, what: 'delete' as const, reasons: [] })),
  ];
  return rows.toSorted(
    (left, right) =>
      left.device_name.localeCompare(right.device_name, 'en') ||
      Date.parse(right.made_at) - Date.parse(left.made_at),
  );
}

export const retentionView: View<RetentionRow> = {
  noun: 'archives',
  key: ({ archive }) => archive,
  columns: [
    { head: '', value: ({ what }) => what },
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    { head: 'ARCHIVE', value: ({ archive }) => archive },
    { head: 'MADE', value: ({ made_at }, paint) => paint.time(made_at) },
    { head: 'SIZE', value: ({ size }) => (size === undefined ? '' : bytesText(size)) },
    { head: 'WHY', value: ({ reasons }) => reasons.join(', ') },
  ],
  fields: (row, paint) => [
    ['Archive', row.archive],
    ['What', row.what],
    ['Device', row.device_name],
    ['Made', paint.time(row.made_at)],
    ['Why', row.reasons.join(', ')],
  ],
};
