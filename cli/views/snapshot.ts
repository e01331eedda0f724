import type { Snapshot } from '../../shared/api/configs.ts';
import { bytesText } from '../output/bytes.ts';
import type { View } from '../output/view.ts';

export const snapshotView: View<Snapshot> = {
  noun: 'versions',
  key: ({ version }) => String(version),
  columns: [
    { head: 'VERSION', value: ({ version }) => version },
    { head: 'WHY', value: ({ reason }) => says[reason] ?? reason },
    { head: 'FIRST SEEN', value: ({ first_seen_at }, paint) => paint.time(first_seen_at) },
    { head: 'LAST SEEN', value: ({ last_seen_at }, paint) => paint.time(last_seen_at) },
    { head: 'SIZE', value: ({ bytes }) => bytesText(bytes) },
    { head: 'ORIGINAL', value: ({ has_raw }) => (has_raw ? 'stored' : '') },
    { head: 'TASK', value: ({ task }) => task },
  ],
  fields: (snapshot, paint) => [
    ['Device', snapshot.device_name],
    ['Version', snapshot.version],
    ['Why', says[snapshot.reason] ?? snapshot.reason],
    ['First seen', paint.time(snapshot.first_seen_at)],
    ['Last seen', paint.time(snapshot.last_seen_at)],
    ['Size', bytesText(snapshot.bytes)],
    ['Encrypted original', snapshot.has_raw ? 'stored' : 'not stored'],
    ['Profile', snapshot.profile],
    ['Rules of the view', snapshot.ruleset],
    ['Task', snapshot.task],
    ['SHA-256', snapshot.view_sha256],
    ...snapshot.units.map(({ unit, status, files, bytes }): [string, string] => [
      'Unit',
      `${unit} ${status}, ${files} files, ${bytesText(bytes)}`,
    ]),
  ],
};

const says: Record<Snapshot['reason'], string> = {
  first: 'first',
  changed: 'changed',
  ruleset: 'rules of the view',
};
