import type { Archive } from '../../shared/api/backups.ts';
import { bytesText } from '../output/bytes.ts';
import { painted } from '../output/view.ts';
import type { View } from '../output/view.ts';

export const archiveView: View<Archive> = {
  noun: 'archives',
  key: ({ id }) => id,
  columns: [
    { head: 'ARCHIVE', value: ({ id }) => id },
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    { head: 'MADE', value: ({ made_at }, paint) => paint.time(made_at) },
    { head: 'LEVEL', value: (archive, paint) => painted(paint.state(levelText(archive))) },
    { head: 'FILES', value: ({ files }) => files },
    { head: 'SIZE', value: ({ size }) => bytesText(size) },
    { head: 'PROVEN', value: ({ verified_at }, paint) => paint.time(verified_at) || 'never' },
    { head: 'STILL SO', value: ({ unchanged_at }, paint) => paint.time(unchanged_at) },
  ],
  fields: (archive, paint) => [
    ['Archive', archive.id],
    ['Device', archive.device_name],
    ['Made', paint.time(archive.made_at)],
    ['Level', painted(paint.state(levelText(archive)))],
    ['Damaged since', paint.time(archive.damaged_at)],
    ['Damage', archive.damage],
    ['Files', archive.files],
    ['Size', bytesText(archive.size)],
    ['SHA-256', archive.sha256],
    ['Content', archive.content],
    ['Stored', paint.time(archive.stored_at)],
    ['Readable', paint.time(archive.readable_at)],
    ['Restorable', paint.time(archive.restorable_at)],
    ['Last proven whole', paint.time(archive.verified_at)],
    ['Still the configuration', paint.time(archive.unchanged_at)],
    ['Task', archive.task],
    ['Signed by', archive.device_key],
    ['Device UUID', archive.device_uuid],
    ['Organization', archive.organization],
    ...archive.recipients.map((recipient): [string, string] => ['Recipient', recipient]),
  ],
};

const levelText = ({ damaged_at, level }: Archive): string => (damaged_at === null ? level : 'damaged');
