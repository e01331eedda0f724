import { z } from 'zod';
import { DeviceStatus } from '../../../shared/api/devices.ts';
import { DriftStatus } from '../../../shared/api/sync.ts';
import { searchNames } from '../../devices/name-pattern.ts';
import type { OrganizationRow } from '../../store/access.ts';
import type { DeviceRow } from '../../store/devices.ts';
import { device, findDevice, page, pagingOf, type ReadParts, readTool, rows, time } from './read-tool.ts';

const name = z.string().max(256).optional().describe('a name, or a regular expression that occurs in it');

const listDevices = readTool({
  name: 'list_devices',
  description: 'Lists devices by name, with state, labels, whether they are online, and drift.',
  parameters: z.strictObject({
    name,
    status: DeviceStatus.optional(),
    drift_status: DriftStatus.optional(),
    ...page,
  }),
  read: async (parts, organization, args) => {
    const ids = await idsOf(parts, organization, args.name);
    if (ids?.length === 0) return { items: [], total: 0 };
    const filter = {
      organizationId: organization.id,
      sortBy: 'name' as const,
      descending: false,
      ...(ids && { ids }),
      ...(args.status && { status: args.status }),
      ...(args.drift_status && { driftStatus: args.drift_status }),
    };
    const found = await parts.store.devices.list(filter, pagingOf(args));
    return rows(found, args, (row) => brief(parts, row));
  },
});

const getDevice = readTool({
  name: 'get_device',
  description: 'Everything about one device, with the facts that its agent reported.',
  parameters: z.strictObject({ device }),
  read: async (parts, organization, args) => {
    const row = await findDevice(parts, organization, args.device);
    return {
      ...brief(parts, row),
      id: row.id,
      task_types: row.taskTypes,
      quarantine_reason: row.quarantineReason,
      synced_at: time(row.syncedAt),
      drift_checked_at: time(row.driftCheckedAt),
      facts: row.facts,
    };
  },
});

const driftStatus = readTool({
  name: 'drift_status',
  description:
    'Whether devices have the configuration that is desired for them: drift, what was confirmed last, and errors.',
  parameters: z.strictObject({ name, drift_status: DriftStatus.optional(), ...page }),
  read: async (parts, organization, args) => {
    const ids = await idsOf(parts, organization, args.name);
    if (ids?.length === 0) return { items: [], total: 0 };
    const filter = { ...(ids && { ids }), ...(args.drift_status && { driftStatus: args.drift_status }) };
    const found = await parts.syncStatus(organization, { filter, paging: pagingOf(args) });
    return rows(found, args, (row) => row);
  },
});

async function idsOf(
  { store }: ReadParts,
  { id }: OrganizationRow,
  wanted: string | undefined,
): Promise<string[] | undefined> {
  if (wanted === undefined) return undefined;
  return searchNames(await store.devices.brief(id), wanted).map((one) => one.id);
}

const brief = (parts: ReadParts, row: DeviceRow) => ({
  name: row.name,
  status: row.status,
  online: parts.heardAt(row.id) !== undefined,
  last_seen: time(parts.heardAt(row.id) ?? row.lastSeenAt),
  labels: row.labels,
  agent_version: row.agentVersion,
  drift_status: row.driftStatus,
});

export const deviceTools = [listDevices, getDevice, driftStatus];
