import type { Instant } from '../../shared/clock.ts';
import type { NewSession } from '../store/sessions.ts';
import type { StoreTables } from '../store/store.ts';

type Whose = Pick<NewSession, 'id' | 'organizationId' | 'deviceId' | 'taskCode' | 'mode' | 'openedBy'>;

/** Tells the stream of a session that was opened, joined by its operator, or closed after it was joined. */
export async function tellSession(
  tables: StoreTables,
  type: 'session.opened' | 'session.joined' | 'session.closed',
  { id, organizationId, deviceId, taskCode, mode, openedBy }: Whose,
  { at, ...detail }: { at: Instant } & Record<string, unknown>,
): Promise<void> {
  const task = await tables.tasks.get(organizationId, taskCode);
  await tables.events.append([
    {
      type,
      at,
      organizationId,
      deviceId,
      taskId: task?.id ?? null,
      runId: task?.runId ?? null,
      data: { session: id, mode, opened_by: openedBy, ...detail },
    },
  ]);
}
