import type { z } from 'zod';
import type { SyncStatus } from '../../shared/api/sync.ts';
import { painted } from '../output/view.ts';
import type { View } from '../output/view.ts';

type Status = z.output<typeof SyncStatus>;

export const syncStatusView: View<Status> = {
  noun: 'devices',
  key: ({ device_name }) => device_name,
  columns: [
    { head: 'DEVICE', value: ({ device_name }) => device_name },
    { head: 'DRIFT', value: ({ drift_status }, paint) => painted(paint.state(drift_status)) },
    { head: 'DESIRED', value: desiredText },
    { head: 'SYNCED', value: ({ synced_at }, paint) => paint.time(synced_at) || 'never' },
    { head: 'LOOKED AT', value: ({ drift_checked_at }, paint) => paint.time(drift_checked_at) || 'never' },
    { head: 'NOTE', value: noteText },
  ],
  fields: (status, paint) => [
    ['Device', status.device_name],
    ['Drift', painted(paint.state(status.drift_status))],
    ['Desired configuration', desiredText(status)],
    ['Synced', paint.time(status.synced_at) || 'never'],
    ['Looked at', paint.time(status.drift_checked_at) || 'never'],
    ['Generation', status.generation],
    ['Content on the device', status.synced_hash],
    ['Content desired', status.current_hash],
    ['Quarantined', status.quarantined.join(', ')],
    ['Error', status.error],
    ['UUID', status.device_uuid],
    ...status.units.map(({ unit, status: state, message }): [string, string] => [
      'Unit',
      [`${unit} ${state}`, message].filter((part) => part !== '').join(': '),
    ]),
  ],
};

/** Is what is desired now also what the device confirmed last? */
function desiredText({ synced_hash, current_hash, desired_problem }: Status): string {
  if (desired_problem === 'no_bundle') return 'no bundle';
  if (current_hash === null) return 'cannot be rendered';
  if (synced_hash === null) return 'not applied yet';
  return synced_hash === current_hash ? 'applied' : 'differs';
}

/** What is wrong comes first. */
function noteText({ error, units, quarantined }: Status): string {
  if (error !== null) return error;
  const odd = units.filter(({ status }) => status !== 'in_sync' && status !== 'never_synced');
  const parts = odd.map(({ unit, status }) => `${unit} ${status}`);
  if (quarantined.length > 0) parts.push(`${quarantined.length} quarantined`);
  return parts.join(', ');
}
