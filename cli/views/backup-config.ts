import type { BackupConfig } from '../../shared/api/backups.ts';
import { bytesText } from '../output/bytes.ts';
import type { View } from '../output/view.ts';

export const backupConfigView: View<BackupConfig> = {
  noun: 'configurations',
  key: ({ recipients }) => recipients.join(','),
  columns: [],
  fields: (config) => [
    ...(config.recipients.length === 0
      ? [['Recipients', 'none: no backup can be made'] as [string, string]]
      : config.recipients.map((recipient): [string, string] => ['Recipient', recipient])),
    ...config.include.map((path): [string, string] => ['Include', path]),
    ...config.exclude.map((path): [string, string] => ['Exclude', path]),
    ['At most', bytesText(config.max_bytes)],
    ['New archive at least every', `${config.full_every_days} days`],
    ['Kept', keptText(config.retention)],
  ],
};

function keptText({ last, within_days, ...periods }: BackupConfig['retention']): string {
  const parts = [
    last > 0 ? `the last ${last}` : '',
    ...Object.entries(periods).map(([period, count]) => (count > 0 ? `${count} ${period}` : '')),
    within_days > 0 ? `all of ${within_days} days before the newest verified` : '',
  ];
  return parts.filter((part) => part !== '').join(', ') || 'only the newest verified';
}
