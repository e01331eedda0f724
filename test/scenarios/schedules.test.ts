import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openStore } from '../../controller/store/open.ts';
import type { Store } from '../../controller/store/store.ts';
import { openSqlite } from '../../shared/node/sqlite.ts';
import { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';

const count = 10_000;

/** As many schedules, each with one thing to run on one device, all due since a second. */
async function addSchedules(store: Store, organizationId: string): Promise<void> {
  const now = Date.now();
  await store.devices.insert({
    id: 'fw',
    organizationId,
    name: 'fw',
    status: 'ENABLED',
    publicKey: 'key',
    labels: {},
    agentVersion: '1.0.0',
    createdAt: now,
  });
  const made = { organizationId, createdBy: 'ops@example.org', createdAt: now, enabled: true };
  await store.transaction(async ({ schedules }) => {
    for (let index = 0; index < count; index += 1) {
      const id = `schedule-${index}`;
      await schedules.insert({
        ...made,
        id,
        name: id,
        description: '',
        cron: '0 0 1 1 *',
        timezone: 'America/New_York',
        overlap: 'skip',
        maxRetries: 0,
        retryDelayMs: 0,
      });
      const request = JSON.stringify({ type: 'PING', targets: { devices: ['fw'] } });
      await schedules.insertTask({ ...made, code: `code-${index}`, scheduleId: id, kind: 'RUN', request });
      await schedules.setTimes(id, [{ zone: 'America/New_York', nextAt: now - 1000 }], now);
    }
  });
}

test('10,000 schedules due at once fire within seconds and once each, also when the controller is killed in the middle', async () => {
  await using cluster = await Cluster.create('schedules');
  const { controller } = cluster;
  await controller.kill();
  const file = join(controller.folder, 'controller.db');
  {
    const store = await openStore({ dialect: 'sqlite', path: file });
    const organization = await store.access.organization('default');
    await addSchedules(store, organization?.id ?? '');
    await store.close();
  }
  using database = openReader(file);
  const fired = () => database.number("select count(*) from firings where outcome = 'fired'");

  await controller.start();
  const begun = performance.now();
  await until('some have fired', () => fired() > count / 10, { everyMs: 5, last: fired });
  await controller.kill();
  const before = fired();
  expect(before).toBeLessThan(count);
  await controller.start();
  await until('all have fired', () => fired() >= count, { last: fired, deadlineMs: 90_000 });
  // Both starts of the program are in it.
  expect((performance.now() - begun) / 1000).toBeLessThan(60);
  await until(
    'all times have moved on',
    () => database.number('select count(*) from schedule_times where next_at < ' + String(Date.now())) === 0,
    { deadlineMs: 60_000 },
  );

  expect(database.number('select count(*) from firings')).toBe(count);
  expect(database.number('select count(distinct scheduled_task) from firings')).toBe(count);
  expect(database.number('select count(*) from runs')).toBe(count);
  expect(database.number('select count(*) from tasks')).toBe(count);
  expect(database.number('select count(distinct run_id) from tasks')).toBe(count);
  expect(database.number('select count(*) from firings join runs on runs.id = firings.run_id')).toBe(count);
  const first = await controller.call('GET', '/api/v1/organizations/default/schedules/schedule-0/firings');
  expect(first['items']).toMatchObject([{ outcome: 'fired', trigger: 'schedule', zone: 'America/New_York' }]);
  expect((await controller.call('GET', '/api/v1/runs?schedule=schedule-0&trigger=schedule'))['total']).toBe(
    1,
  );
});

/** Looks into the database beside the controller. */
function openReader(file: string): { number(text: string): number } & Disposable {
  const database = openSqlite(file);
  return {
    number: (text) => database.prepare<[], number>(text).pluck().get() as number,
    [Symbol.dispose]: () => {
      database.close();
    },
  };
}
