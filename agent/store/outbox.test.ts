import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openSqlite } from '../../shared/node/sqlite.ts';
import type { Report } from '../../shared/protocol/report.ts';
import { seededRandom } from '../../test/simulation/random.ts';
import { AgentStore } from './agent-store.ts';
import { defaultOutboxBounds, type OutboxBounds } from './log-bounds.ts';

const openStore = (bounds: Partial<OutboxBounds> = {}, db = openSqlite(':memory:')) =>
  new AgentStore(db, seededRandom('outbox'), { ...defaultOutboxBounds, ...bounds });

const log = (code: string, line: number, at = 0, text = 'text') =>
  ({ type: 'task.log', code, at, line, stream: 'stdout', text }) as const;
const accepted = (code: string) => ({ type: 'task.accepted', code, at: 0, attempt: 1 }) as const;

const rows = (store: AgentStore, after = 0): Report[] =>
  store.outbox
    .after(after, { maxRows: 100_000, maxBytes: 1e9 })
    .map(({ json }) => JSON.parse(json) as Report);

test('numbers rows upwards and never uses a number twice, not even after everything was acknowledged', () => {
  const db = openSqlite(':memory:');
  const store = openStore({}, db);
  expect(store.write(() => store.outbox.append('accepted', accepted('aaaaaaaa')))).toBe(1);
  expect(store.write(() => store.outbox.append('accepted', accepted('bbbbbbbb')))).toBe(2);
  store.outbox.ack(2);
  expect(rows(store)).toEqual([]);

  const later = openStore({}, db);
  expect(later.outbox.lastSeq()).toBe(2);
  expect(later.write(() => later.outbox.append('accepted', accepted('cccccccc')))).toBe(3);
});

test('an acknowledgement deletes what it covers and nothing more, and one from the past or the future does no harm', () => {
  const store = openStore();
  store.write(() => {
    for (let line = 1; line <= 4; line += 1) store.outbox.append('log', log('aaaaaaaa', line));
  });
  store.outbox.ack(2);
  expect(rows(store).map(({ seq }) => seq)).toEqual([3, 4]);
  store.outbox.ack(1);
  expect(rows(store).map(({ seq }) => seq)).toEqual([3, 4]);
  store.outbox.ack(99);
  expect(rows(store)).toEqual([]);
  expect(store.write(() => store.outbox.append('accepted', accepted('bbbbbbbb')))).toBe(5);
});

test('a transaction that fails leaves no row', () => {
  const store = openStore();
  expect(() =>
    store.write(() => {
      store.outbox.append('log', log('aaaaaaaa', 1));
      throw new Error('power cut');
    }),
  ).toThrow('power cut');
  expect(store.outbox.size()).toEqual({ rows: 0, bytes: 0 });
});

test('newer progress of a task replaces what was not delivered; a phase stays', () => {
  const store = openStore();
  const progress = (percent: number) =>
    ({ type: 'task.progress', code: 'aaaaaaaa', at: 0, attempt: 1, percent }) as const;
  store.write(() => {
    store.outbox.append('progress', progress(10));
    store.outbox.append('phase', { ...progress(50), phase: 'powering_off' });
    store.outbox.append('progress', progress(90));
  });
  expect(rows(store)).toMatchObject([{ phase: 'powering_off' }, { percent: 90 }]);
});

test('reads in bounded portions, but always at least one row', () => {
  const store = openStore();
  store.write(() => {
    for (let line = 1; line <= 5; line += 1)
      store.outbox.append('log', log('aaaaaaaa', line, 0, 'x'.repeat(100)));
  });
  expect(store.outbox.after(0, { maxRows: 2, maxBytes: 1e9 })).toHaveLength(2);
  expect(store.outbox.after(0, { maxRows: 100, maxBytes: 10 })).toHaveLength(1);
  expect(store.outbox.after(3, { maxRows: 100, maxBytes: 1e9 }).map(({ seq }) => seq)).toEqual([4, 5]);
});

test('lines beyond the bound leave one gap record that grows, numbered as the newest line it covers', () => {
  const store = openStore({ maxLogRows: 2 });
  store.write(() => {
    store.outbox.append('accepted', accepted('aaaaaaaa'));
    for (let line = 1; line <= 5; line += 1) store.outbox.append('log', log('aaaaaaaa', line));
    store.outbox.keepBounds(0);
  });
  expect(rows(store)).toMatchObject([
    { type: 'task.accepted', seq: 1 },
    { type: 'task.gap', seq: 4, from: 1, to: 3, reason: 'outbox_full' },
    { type: 'task.log', seq: 5, line: 4 },
    { type: 'task.log', seq: 6, line: 5 },
  ]);
});

test('lines that are too old are dropped, younger ones are kept', () => {
  const store = openStore({ maxLogAgeMs: 1_000 });
  store.write(() => {
    store.outbox.append('log', log('aaaaaaaa', 1, 0));
    store.outbox.append('log', log('aaaaaaaa', 2, 5_000));
    store.outbox.keepBounds(5_500);
  });
  expect(rows(store)).toMatchObject([
    { type: 'task.gap', from: 1, to: 1, reason: 'too_old' },
    { type: 'task.log', line: 2 },
  ]);
});

test('an older copy of the database numbers its rows after those that were applied', () => {
  const store = openStore();
  store.write(() => {
    for (const code of ['aaaaaaaa', 'bbbbbbbb', 'cccccccc']) store.outbox.append('accepted', accepted(code));
  });
  store.write(() => store.outbox.shift(2));
  expect(rows(store).map(({ seq, code }) => [seq, code])).toEqual([
    [3, 'aaaaaaaa'],
    [4, 'bbbbbbbb'],
    [5, 'cccccccc'],
  ]);
  expect(store.write(() => store.outbox.append('accepted', accepted('dddddddd')))).toBe(6);
});

/** What may happen to an outbox: lines of one of three tasks, an acknowledgement of some of what was sent, a restart, a full disk. */
const happening = fc.oneof(
  fc.record({ do: fc.constant('log' as const), task: fc.nat(2), count: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ do: fc.constant('result' as const), task: fc.nat(2) }),
  fc.record({ do: fc.constant('ack' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ do: fc.constant('reopen' as const) }),
  fc.record({ do: fc.constant('half' as const) }),
);

test('whatever happens: bounds hold, results stay, and every line is delivered or covered by a gap', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
      const db = openSqlite(':memory:');
      const maxLogRows = 12;
      let store = openStore({ maxLogRows }, db);
      const codes = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc'] as const;
      const written = [0, 0, 0];
      let results = 0;
      const applied: Report[] = [];
      const deliver = (share: number): void => {
        const pending = rows(store);
        const taken = pending.slice(0, Math.ceil(pending.length * share));
        const last = taken.at(-1);
        if (!last) return;
        applied.push(...taken);
        store.outbox.ack(last.seq);
      };

      for (const event of happenings) {
        if (event.do === 'log') {
          const code = codes[event.task] ?? codes[0];
          store.write(() => {
            for (let index = 0; index < event.count; index += 1) {
              written[event.task] = (written[event.task] ?? 0) + 1;
              store.outbox.append('log', log(code, written[event.task] ?? 0));
            }
            store.outbox.keepBounds(0);
          });
          expect(rows(store).filter(({ type }) => type === 'task.log').length).toBeLessThanOrEqual(
            maxLogRows,
          );
        } else if (event.do === 'result') {
          results += 1;
          store.write(() =>
            store.outbox.append('result', {
              type: 'task.result',
              code: codes[event.task] ?? codes[0],
              at: 0,
              attempt: 1,
              outcome: 'COMPLETED',
            }),
          );
        } else if (event.do === 'ack') deliver(event.share);
        else if (event.do === 'reopen') store = openStore({ maxLogRows }, db);
        else store.write(() => store.outbox.dropHalfOfLogs());
      }
      deliver(1);

      const seqs = applied.map(({ seq }) => seq);
      expect(seqs).toEqual([...new Set(seqs)].sort((left, right) => left - right));
      expect(applied.filter(({ type }) => type === 'task.result')).toHaveLength(results);
      codes.forEach((code, task) => {
        for (let line = 1; line <= (written[task] ?? 0); line += 1) {
          const told = applied.filter(
            (row) => row.code === code && row.type === 'task.log' && row.line === line,
          );
          const covered = applied.some(
            (row) => row.code === code && row.type === 'task.gap' && row.from <= line && line <= row.to,
          );
          expect(told.length === 1 || covered, `line ${line} of ${code}`).toBe(true);
          expect(told.length).toBeLessThanOrEqual(1);
        }
      });
      db.close();
    }),
    { numRuns: 150 },
  );
});
