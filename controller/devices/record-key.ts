import type { AuditAction } from '../../shared/api/audit-actions.ts';
import type { Instant } from '../../shared/clock.ts';
import type { EventType } from '../../shared/api/events.ts';
import type { DeviceRow } from '../store/devices.ts';
import type { StoreTables } from '../store/store.ts';

/** What a device did with its key, for the event stream and the audit log; within the transaction that does it. */
export async function recordKey(
  tables: Pick<StoreTables, 'events' | 'audit'>,
  { organizationId, name, id: deviceId }: Pick<DeviceRow, 'organizationId' | 'name' | 'id'>,
  done: {
    at: Instant;
    event: EventType;
    action: AuditAction;
    detail: Record<string, string>;
    ipAddress: string | null;
    requestId: string | null;
  },
): Promise<void> {
  const { at, event: type, action, detail, ipAddress, requestId } = done;
  const actor = `device ${name}`;
  const data = { name, ...detail };
  await tables.events.append([{ type, at, organizationId, deviceId, taskId: null, runId: null, data }]);
  await tables.audit.append([
    { at, organizationId, actor, action, target: name, detail, ipAddress, requestId },
  ]);
}
