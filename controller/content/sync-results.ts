import { z } from 'zod';
import type { Instant } from '../../shared/clock.ts';
import { syncErrors } from '../../shared/task-types/sync.ts';
import type { DeviceConfigRow, RolledBackContent } from '../store/device-configs.ts';
import type { NewEvent } from '../store/events.ts';
import type { StoreTables } from '../store/store.ts';
import { driftEvents, nothingKnown } from './drift.ts';

/** How a SYNC ended on its device, whatever its task counts as. */
export interface EndedSync {
  deviceId: string;
  organizationId: string;
  code: string;
  /** JSON text. */
  parameters: string;
  outcome: 'COMPLETED' | 'FAILED';
  errorCode: string | null;
  errorMessage: string | null;
  /** JSON text. */
  result: string | null;
}

/** What counts of a result. It comes from a device: nothing in it is taken for granted. */
const Told = z.object({
  outcome: z.string(),
  generation: z.int(),
  content: z.string().max(64),
  units: z.record(z.string(), z.string()).default({}),
  reason: z.string().default(''),
});
type Told = z.output<typeof Told>;
const Ordered = z.object({ manifest: z.string(), generation: z.int() });

/** A roll-back that somebody wished for says nothing against the configuration. */
const innocentReason = /^(cancelled|agent_stopping)/;
const ownWords: readonly string[] = ['busy', 'no_baseline', 'declined', 'unanswered'];
/** Nothing of the device was touched, and nothing was learnt of it. */
const untouched: readonly string[] = [
  ...syncErrors.filter((code) => code.startsWith('rejected_') || ownWords.includes(code)),
  'disk_full',
];

/** Notes what SYNCs came to, in the transaction that ends them; returns the events that tell of it. */
export async function noteSyncEnds(
  tables: StoreTables,
  ends: EndedSync[],
  now: Instant,
): Promise<NewEvent[]> {
  if (ends.length === 0) return [];
  const rows = await tables.deviceConfigs.getMany(ends.map(({ deviceId }) => deviceId));
  const changes: Parameters<typeof driftEvents>[0] = [];
  for (const end of ends) {
    const before = rows.get(end.deviceId) ?? nothingKnown(end.deviceId);
    const told = tellOf(end.result);
    const after = afterEnd(before, end, { told, now });
    const content = await contentOf(tables, end, told);
    if (isConfirmed(end, told)) await tables.deviceConfigs.forget([{ deviceId: end.deviceId, content }]);
    if (isAgainst(end, told) && content !== '')
      await tables.deviceConfigs.quarantine([rolledBack(end, { content, told, now })]);
    if (after === before) continue;
    rows.set(end.deviceId, after);
    changes.push({ before, after, organizationId: end.organizationId });
  }
  const newest = new Map(changes.map(({ after }) => [after.deviceId, after]));
  await tables.deviceConfigs.put([...newest.values()]);
  return driftEvents(changes, now);
}

/** SYNCs that ended here without a word of their device: nobody knows what is on it now. */
export async function noteSyncsLost(
  tables: StoreTables,
  lost: { deviceId: string; organizationId: string }[],
  now: Instant,
): Promise<NewEvent[]> {
  const rows = await tables.deviceConfigs.getMany(lost.map(({ deviceId }) => deviceId));
  const changes = lost.map(({ deviceId, organizationId }) => {
    const before = rows.get(deviceId) ?? nothingKnown(deviceId);
    return { before, after: { ...before, driftStatus: 'UNKNOWN' as const }, organizationId };
  });
  await tables.deviceConfigs.put(changes.map(({ after }) => after));
  return driftEvents(changes, now);
}

function afterEnd(
  before: DeviceConfigRow,
  end: EndedSync,
  { told, now }: { told: Told | undefined; now: Instant },
): DeviceConfigRow {
  const isStale = told !== undefined && told.generation < (before.syncedGeneration ?? 0);
  if (isConfirmed(end, told)) return confirmed(before, told, now);
  if (end.outcome === 'COMPLETED' || isStale) return before; // a dry run, or old news
  const { errorCode, errorMessage } = end;
  const error = errorMessage?.slice(0, 1024) ?? null;
  switch (errorCode) {
    case 'rejected_drift':
      return { ...before, driftStatus: 'DRIFT', driftCheckedAt: now, error };
    case 'rolled_back':
    case 'rollback_failed':
      if (!isAgainst(end, told)) return before;
      return { ...before, driftStatus: 'ERROR', driftCheckedAt: now, error };
    default:
      if (errorCode === 'quarantined' || untouched.includes(errorCode ?? '')) return before;
      return { ...before, driftStatus: 'UNKNOWN', error };
  }
}

const isConfirmed = (end: EndedSync, told: Told | undefined): told is Told =>
  end.outcome === 'COMPLETED' && (told?.outcome === 'applied' || told?.outcome === 'unchanged');

/** What a PULL told of this confirmation, or of a later one, is newer. */
function confirmed(before: DeviceConfigRow, told: Told, now: Instant): DeviceConfigRow {
  if ((before.syncedGeneration ?? 0) >= told.generation) return before;
  const synced = Object.keys(told.units);
  return {
    ...before,
    generation: Math.max(before.generation, told.generation),
    syncedContent: told.content,
    syncedGeneration: told.generation,
    syncedAt: now,
    base: { ...before.base, ...told.units },
    driftStatus: 'IN_SYNC',
    driftCheckedAt: now,
    units: [
      ...before.units.filter(({ unit }) => !synced.includes(unit)),
      ...synced.map((unit) => ({ unit, status: 'in_sync', message: '' })),
    ].sort((left, right) => (left.unit < right.unit ? -1 : 1)),
    error: null,
  };
}

const isAgainst = ({ errorCode }: EndedSync, told: Told | undefined): boolean =>
  errorCode === 'rollback_failed' ||
  errorCode === 'quarantined' ||
  (errorCode === 'rolled_back' && !innocentReason.test(told?.reason ?? ''));

const rolledBack = (
  { deviceId, code, errorMessage }: EndedSync,
  { content, told, now }: { content: string; told: Told | undefined; now: Instant },
): Omit<RolledBackContent, 'releasedAt'> => ({
  deviceId,
  content,
  at: now,
  task: code,
  reason: (told?.reason || errorMessage || 'rolled back').slice(0, 1024),
});

function tellOf(result: string | null): Told | undefined {
  return result === null ? undefined : Told.safeParse(JSON.parse(result)).data;
}

/** The controller's own word for what the order named; the device's for orders that are not known any more. */
async function contentOf(tables: StoreTables, end: EndedSync, told: Told | undefined): Promise<string> {
  const { data: ordered } = Ordered.safeParse(JSON.parse(end.parameters));
  const manifest = ordered && (await tables.manifests.get(end.deviceId, ordered.manifest));
  return manifest?.content ?? told?.content ?? '';
}
