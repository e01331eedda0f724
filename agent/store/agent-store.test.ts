import { expect, test } from 'vitest';
import { openSqlite } from '../../shared/node/sqlite.ts';
import { seededRandom } from '../../test/simulation/random.ts';
import { AgentStore } from './agent-store.ts';
import { StoreClosed } from './gate.ts';
import { defaultOutboxBounds } from './log-bounds.ts';

const random = seededRandom('agent store');
const open = (db = openSqlite(':memory:')) => new AgentStore(db, random, defaultOutboxBounds);

const accept = (store: AgentStore, code: string, parameters = '{}') =>
  store.write(() => {
    const acceptedSeq = store.outbox.append('accepted', { type: 'task.accepted', code, at: 0, attempt: 1 });
    const task = { code, type: 'PING', parameters, signed: null, timeoutMs: 1_000, force: false, attempt: 1 };
    store.tasks.insert({ ...task, acceptedAt: 0, acceptedSeq });
  });
const by = { at: 1, bootId: 'boot', instanceId: 'instance' };
const finish = (store: AgentStore, code: string) =>
  store.write(() => {
    const report = { type: 'task.result', code, at: 2, attempt: 1, outcome: 'COMPLETED' } as const;
    const seq = store.outbox.append('result', report);
    return store.tasks.finish(code, { kind: 'result', body: JSON.stringify(report), seq });
  });

test('every start is a new epoch of the same store; a new database is another store', () => {
  const db = openSqlite(':memory:');
  const first = open(db);
  const second = open(db);
  expect([first.epoch, second.epoch]).toEqual([1, 2]);
  expect(second.storeId).toBe(first.storeId);
  expect(open().storeId).not.toBe(first.storeId);
});

test('a database of a newer program is refused', () => {
  const db = openSqlite(':memory:');
  db.pragma('user_version = 99');
  expect(() => open(db)).toThrow(/schema 99/);
});

test('a task starts once, and is forgotten only before it starts', () => {
  const store = open();
  accept(store, 'aaaaaaaa');
  accept(store, 'bbbbbbbb');
  expect(store.tasks.start('aaaaaaaa', by)).toBe(true);
  expect(store.tasks.start('aaaaaaaa', by)).toBe(false);
  expect(store.tasks.forget('aaaaaaaa')).toBe(false);
  expect(store.tasks.forget('bbbbbbbb')).toBe(true);
  expect(store.tasks.get('bbbbbbbb')).toBeUndefined();
});

test('a finished task is held until its end is delivered, and remembered after that', () => {
  const store = open();
  accept(store, 'aaaaaaaa');
  store.tasks.start('aaaaaaaa', by);
  expect(finish(store, 'aaaaaaaa')).toBe(true);
  expect(finish(store, 'aaaaaaaa')).toBe(false);
  expect(store.tasks.held()).toMatchObject([{ code: 'aaaaaaaa', state: 'finished' }]);

  store.outbox.ack(store.outbox.lastSeq());
  expect(store.tasks.held()).toEqual([]);
  expect(store.tasks.get('aaaaaaaa')).toMatchObject({ state: 'finished', endKind: 'result' });
});

test('what a task was given, secrets among it, leaves the disk with its end', () => {
  const store = open();
  accept(store, 'aaaaaaaa', '{"env":{"PASSWORD":"secret"}}');
  store.tasks.start('aaaaaaaa', by);
  finish(store, 'aaaaaaaa');
  expect(store.tasks.get('aaaaaaaa')).toMatchObject({ parameters: '{}' });
});

test('remembers every finished task that is not delivered, and the newest thousand of the others', () => {
  const store = open();
  const codes = Array.from({ length: 1_006 }, (_, index) => String(index).padStart(8, '0'));
  const finishAll = (some: string[]) =>
    store.write(() => {
      for (const code of some) {
        accept(store, code);
        finish(store, code);
      }
    });
  const remembered = () => codes.filter((code) => store.tasks.get(code) !== undefined);

  finishAll(codes.slice(0, 1_005));
  expect(remembered()).toHaveLength(1_005);
  store.outbox.ack(store.outbox.lastSeq());
  finishAll(codes.slice(1_005));
  expect(remembered()).toEqual(codes.slice(6));
});

test('after it is closed nothing is read or written', () => {
  const store = open();
  accept(store, 'aaaaaaaa');
  store.close();
  expect(() => store.write(() => undefined)).toThrow(StoreClosed);
  expect(() => store.tasks.start('aaaaaaaa', by)).toThrow(StoreClosed);
  expect(() => store.outbox.after(0, { maxRows: 1, maxBytes: 1 })).toThrow(StoreClosed);
  expect(() => store.kv.get('epoch')).toThrow(StoreClosed);
});
