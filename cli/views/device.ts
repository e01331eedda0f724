import type { Device } from '../../shared/api/devices.ts';
import { painted } from '../output/view.ts';
import type { View } from '../output/view.ts';

export const deviceView: View<Device> = {
  noun: 'devices',
  key: ({ name }) => name,
  columns: [
    { head: 'NAME', value: ({ name }) => name },
    { head: 'STATUS', value: ({ status }, paint) => painted(paint.state(status)) },
    { head: 'LINK', value: (device, paint) => painted(paint.state(linkOf(device))) },
    { head: 'DRIFT', value: ({ drift_status }, paint) => painted(paint.state(drift_status)) },
    { head: 'VERSION', value: ({ version }) => version },
    { head: 'HEARTBEAT', value: ({ heartbeat }, paint) => paint.time(heartbeat) },
    { head: 'LABELS', value: ({ labels }) => labelText(labels) },
  ],
  fields: (device, paint) => [
    ['Name', device.name],
    ['Status', painted(paint.state(device.status))],
    ['Link', painted(paint.state(linkOf(device)))],
    ['Quarantined because', device.quarantine_reason],
    ['Organization', device.organization],
    ['Labels', labelText(device.labels)],
    ['Agent version', device.version],
    ['Heartbeat', paint.time(device.heartbeat)],
    ['Timezone', timezoneOf(device)],
    ['Drift', painted(paint.state(device.drift_status))],
    ['Drift looked at', paint.time(device.drift_checked_at)],
    ['Synced', paint.time(device.synced_at)],
    ['Synced content', device.synced_hash],
    ['Task types', device.task_types.join(', ')],
    ['Key fingerprint', device.key_fingerprint],
    ['Next key fingerprint', device.next_key_fingerprint],
    ['Key rotation', device.key_rotation ? 'waits for the device' : null],
    ['Key revoked', paint.time(device.key_revoked_at)],
    ['Boot id', device.boot_id],
    ['UUID', device.uuid],
    ['Created', paint.time(device.created_at)],
    ['Updated', paint.time(device.updated_at)],
    ...Object.entries(device.facts ?? {}).map(
      ([name, value]) =>
        [`Fact ${name}`, typeof value === 'string' ? value : JSON.stringify(value)] as [string, string],
    ),
  ],
};

const linkOf = (device: Device): string => {
  if (device.key_revoked_at !== null) return 'revoked';
  if (device.quarantine_reason !== null) return 'quarantined';
  return device.online ? 'online' : 'offline';
};

/** Nothing for a controller that does not say. */
function timezoneOf({ timezone, labels, facts }: Device): string | undefined {
  if (timezone !== null) return timezone;
  const said = labels['timezone'] ?? facts?.['timezone'];
  return said === undefined
    ? 'unknown, counts as UTC'
    : `unknown: ${JSON.stringify(said)} is no time zone, counts as UTC`;
}

export const labelText = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
