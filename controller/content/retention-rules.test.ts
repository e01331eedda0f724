import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Retention } from '../../shared/api/backups.ts';
import { type RetainedArchive, retain } from './retention-rules.ts';

const nothing = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, within_days: 0 };
const at = (text: string) => Date.parse(text.length === 10 ? `${text}T12:00:00Z` : text);

const archive = (when: string, over: Partial<RetainedArchive> = {}): RetainedArchive => ({
  id: when,
  deviceId: 'fw',
  storedAt: at(when),
  isProven: true,
  isDamaged: false,
  ...over,
});

const kept = (archives: RetainedArchive[], rules: Partial<Retention>) =>
  retain(archives, { ...nothing, ...rules })
    .keep.map(({ archive: { id } }) => id)
    .sort();

describe('an archive stays', () => {
  const days = ['2026-01-01', '2026-01-02', '2026-01-31', '2026-02-01', '2026-02-02', '2027-01-01'];
  const all = days.map((day) => archive(day));

  test('when it is among the last', () => {
    expect(kept(all, { last: 2 })).toEqual(['2026-02-02', '2027-01-01']);
  });

  test('when it is the newest of its hour, day, week, month or year', () => {
    const morning = archive('2026-02-02T08:10:00Z');
    const sameHour = archive('2026-02-02T08:50:00Z');
    expect(kept([morning, sameHour], { hourly: 5 })).toEqual([morning.id, sameHour.id]);
    const three = [morning, sameHour, archive('2026-02-02T09:00:00Z')];
    expect(kept(three, { hourly: 2 })).toEqual([sameHour.id, three[2]?.id]);
    expect(kept(all, { daily: 3 })).toEqual(['2026-02-01', '2026-02-02', '2027-01-01']);
    expect(kept(all, { monthly: 3 })).toEqual(['2026-01-31', '2026-02-02', '2027-01-01']);
    expect(kept(all, { yearly: 2 })).toEqual(['2026-02-02', '2027-01-01']);
  });

  test('when it is the newest of its week, from Monday on', () => {
    const [sunday, monday] = [archive('2026-02-01'), archive('2026-02-02')];
    expect(kept([archive('2026-01-26'), sunday, monday], { weekly: 2 })).toEqual([sunday.id, monday.id]);
  });

  test('as the oldest, as long as a rule has room', () => {
    expect(kept(all, { yearly: 3 })).toEqual(['2026-01-01', '2026-02-02', '2027-01-01']);
  });

  test('within some days of the newest verified one, not of now', () => {
    expect(kept(all.slice(0, 5), { within_days: 2 })).toEqual(['2026-01-31', '2026-02-01', '2026-02-02']);
  });

  test('when it is not verified yet and newer than what is', () => {
    const fresh = archive('2027-02-02', { isProven: false });
    expect(kept([...all, fresh, archive('2026-05-05', { isProven: false })], {})).toEqual([
      '2027-01-01',
      fresh.id,
    ]);
  });

  test('when no archive of its device is verified', () => {
    const unproven = [archive('2026-01-01', { isProven: false }), archive('2026-01-02', { isDamaged: true })];
    expect(
      kept([...all, ...unproven.map((one) => ({ ...one, id: `b ${one.id}`, deviceId: 'b' }))], {}),
    ).toEqual(['2027-01-01', 'b 2026-01-01', 'b 2026-01-02']);
  });
});

test('a damaged archive stands in for none, and is not the newest verified', () => {
  const damaged = archive('2026-03-03', { isDamaged: true });
  expect(kept([archive('2026-01-01'), archive('2026-03-02'), damaged], { last: 1, within_days: 5 })).toEqual([
    '2026-03-02',
  ]);
});

const anyRules: fc.Arbitrary<Retention> = fc.record({
  last: fc.nat(5),
  hourly: fc.nat(5),
  daily: fc.nat(5),
  weekly: fc.nat(5),
  monthly: fc.nat(5),
  yearly: fc.nat(5),
  within_days: fc.nat(60),
});
const anyArchives = fc
  .uniqueArray(
    fc.record({
      id: fc.uuid(),
      deviceId: fc.constantFrom('a', 'b', 'c'),
      storedAt: fc.integer({ min: at('2024-01-01'), max: at('2027-01-01') }),
      isProven: fc.boolean(),
      isDamaged: fc.boolean(),
    }),
    { selector: ({ id }) => id, maxLength: 40 },
  )
  .map((archives): RetainedArchive[] => archives);
const ofDevice = (archives: RetainedArchive[], deviceId: string) =>
  archives.filter((one) => one.deviceId === deviceId);
const idsOf = (archives: RetainedArchive[]) => archives.map(({ id }) => id).sort();
const keptOf = (archives: RetainedArchive[], rules: Retention) =>
  retain(archives, rules).keep.map((one) => one.archive);

describe('whatever the rules are', () => {
  test('each archive is kept or deleted, once', () => {
    fc.assert(
      fc.property(anyArchives, anyRules, (archives, rules) => {
        const outcome = retain(archives, rules);
        expect(idsOf([...outcome.keep.map((one) => one.archive), ...outcome.delete])).toEqual(
          idsOf(archives),
        );
        expect(outcome.keep.every(({ reasons }) => reasons.length > 0)).toBe(true);
      }),
    );
  });

  test('the newest verified archive of a device is never deleted, nor all of a device', () => {
    fc.assert(
      fc.property(anyArchives, anyRules, (archives, rules) => {
        const kept = keptOf(archives, rules);
        for (const device of ['a', 'b', 'c']) {
          const group = ofDevice(archives, device);
          if (group.length > 0) expect(ofDevice(kept, device)).not.toEqual([]);
          const proven = group.filter(({ isProven, isDamaged }) => isProven && !isDamaged);
          if (proven.length === 0) expect(ofDevice(kept, device)).toHaveLength(group.length);
          const newest = Math.max(...proven.map(({ storedAt }) => storedAt));
          if (proven.length > 0) {
            expect(kept.some((one) => proven.includes(one) && one.storedAt === newest)).toBe(true);
          }
        }
      }),
    );
  });

  test('one device says nothing about another', () => {
    fc.assert(
      fc.property(anyArchives, anyRules, (archives, rules) => {
        const alone = keptOf(ofDevice(archives, 'a'), rules);
        expect(idsOf(ofDevice(keptOf(archives, rules), 'a'))).toEqual(idsOf(alone));
      }),
    );
  });

  test('when backups stop nothing expires: what was kept is kept again', () => {
    fc.assert(
      fc.property(anyArchives, anyRules, (archives, rules) => {
        const kept = keptOf(archives, rules);
        expect(retain(kept, rules).delete).toEqual([]);
      }),
    );
  });

  test('the order in which archives are listed does not count', () => {
    fc.assert(
      fc.property(anyArchives, anyRules, (archives, rules) => {
        expect(idsOf(keptOf([...archives].reverse(), rules))).toEqual(idsOf(keptOf(archives, rules)));
      }),
    );
  });

  test('wanting more of something keeps no less', () => {
    fc.assert(
      fc.property(anyArchives, anyRules, fc.constantFrom('last', 'within_days'), (archives, rules, name) => {
        const more = idsOf(keptOf(archives, { ...rules, [name]: rules[name] + 1 }));
        for (const id of idsOf(keptOf(archives, rules))) expect(more).toContain(id);
      }),
    );
  });
});
