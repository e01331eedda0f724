import type { Retention } from '../../shared/api/backups.ts';
import type { Instant } from '../../shared/clock.ts';

/** What the rules look at. */
export interface RetainedArchive {
  id: string;
  deviceId: string;
  /** By the clock of the controller: that of a device may be wrong. */
  storedAt: Instant;
  /** It was read back and decrypted, and no proof failed since. */
  isProven: boolean;
  isDamaged: boolean;
}

export interface RetentionOutcome<Archive> {
  keep: { archive: Archive; reasons: string[] }[];
  delete: Archive[];
}

/**
 * Decides which archives go. The clock is not asked: when backups stop, nothing expires.
 *
 * - Each device is a group of its own.
 * - Of a group without a proven archive nothing goes; its newest proven archive never goes.
 * - Only proven archives count as the one of a day, a week …; an unproven one that is newer than all proven ones stays.
 */
export function retain<Archive extends RetainedArchive>(
  archives: readonly Archive[],
  rules: Retention,
): RetentionOutcome<Archive> {
  const outcome: RetentionOutcome<Archive> = { keep: [], delete: [] };
  for (const group of groupsOf(archives)) {
    const reasons = reasonsOf(group, rules);
    for (const archive of group) {
      const why = reasons.get(archive.id);
      if (why === undefined) outcome.delete.push(archive);
      else outcome.keep.push({ archive, reasons: why });
    }
  }
  return outcome;
}

/** Newest first within a group. */
function groupsOf<Archive extends RetainedArchive>(archives: readonly Archive[]): Archive[][] {
  const groups = new Map<string, Archive[]>();
  for (const archive of archives) {
    const group = groups.get(archive.deviceId) ?? [];
    group.push(archive);
    groups.set(archive.deviceId, group);
  }
  return [...groups.values()].map((group) =>
    group.sort((left, right) => right.storedAt - left.storedAt || (left.id < right.id ? 1 : -1)),
  );
}

/** Why each archive of one group stays; an archive without a reason goes. */
function reasonsOf(group: readonly RetainedArchive[], rules: Retention): Map<string, string[]> {
  const reasons = new Map<string, string[]>();
  const want = (archive: RetainedArchive, reason: string) =>
    reasons.set(archive.id, [...(reasons.get(archive.id) ?? []), reason]);

  const proven = group.filter(({ isProven, isDamaged }) => isProven && !isDamaged);
  const [newest] = proven;
  if (newest === undefined) {
    for (const archive of group) want(archive, 'no archive of this device is verified');
    return reasons;
  }
  want(newest, 'newest verified');
  for (const archive of group) {
    if (!archive.isDamaged && !proven.includes(archive) && archive.storedAt >= newest.storedAt) {
      want(archive, 'not verified yet');
    }
  }
  for (const archive of proven.slice(0, rules.last)) want(archive, 'last');
  for (const [name, bucketOf] of calendar) {
    for (const archive of firstOfBuckets(proven, bucketOf, rules[name])) want(archive, name);
  }
  const within = newest.storedAt - rules.within_days * dayMs;
  if (rules.within_days > 0) {
    for (const archive of group) {
      if (!archive.isDamaged && archive.storedAt >= within) want(archive, `within ${rules.within_days} days`);
    }
  }
  return reasons;
}

/** The newest of each of the newest `count` buckets; the oldest archive too, as long as there is room. */
function firstOfBuckets(
  newestFirst: readonly RetainedArchive[],
  bucketOf: (date: Date) => string,
  count: number,
): RetainedArchive[] {
  const chosen = new Map<string, RetainedArchive>();
  for (const archive of newestFirst) {
    if (chosen.size >= count) break;
    const bucket = bucketOf(new Date(archive.storedAt));
    if (!chosen.has(bucket)) chosen.set(bucket, archive);
  }
  const oldest = newestFirst.at(-1);
  if (oldest !== undefined && chosen.size < count) chosen.set('oldest', oldest);
  return [...chosen.values()].filter((archive, at, all) => all.indexOf(archive) === at);
}

const dayMs = 86_400_000;
const isoDay = (date: Date) => date.toISOString().slice(0, 10);

/** Buckets by UTC. A week is named after its Monday. */
const calendar = [
  ['hourly', (date: Date) => date.toISOString().slice(0, 13)],
  ['daily', isoDay],
  ['weekly', (date: Date) => isoDay(new Date(date.getTime() - ((date.getUTCDay() + 6) % 7) * dayMs))],
  ['monthly', (date: Date) => date.toISOString().slice(0, 7)],
  ['yearly', (date: Date) => date.toISOString().slice(0, 4)],
] as const satisfies [keyof Retention, (date: Date) => string][];
