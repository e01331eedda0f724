import type { Instant } from '../../shared/clock.ts';
import { type EndedSync, noteSyncEnds } from '../content/sync-results.ts';
import type { NewEvent } from '../store/events.ts';
import type { StoreTables } from '../store/store.ts';
import type { FinishedTask, TaskMove, TaskRow } from '../store/tasks.ts';
import { taskKey } from './moves.ts';

/**
 * What ended SYNCs say of their devices, in the commit that ends them. A result that comes too late for its task counts here all the same:
 * it tells what is on the device.
 */
export async function applySyncEnds(
  tables: StoreTables,
  { moves, late, results }: { moves: TaskMove[]; late: TaskRow[]; results: Map<string, FinishedTask> },
  now: Instant,
): Promise<NewEvent[]> {
  const moved = moves.filter((move) => move.type === 'SYNC' && results.has(taskKey(move)));
  const rows = [
    ...(moved.length > 0 ? await tables.tasks.getMany(moved) : []),
    ...late.filter(({ type }) => type === 'SYNC'),
  ];
  const ends = rows.flatMap((row): EndedSync[] => {
    const result = results.get(taskKey(row));
    if (result === undefined) return [];
    const { deviceId, organizationId, code, parameters } = row;
    return [{ ...result, deviceId, organizationId, code, parameters }];
  });
  return noteSyncEnds(tables, ends, now);
}
