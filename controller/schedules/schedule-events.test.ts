import { expect, test } from 'vitest';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';

const minute = 60_000;

async function told(controller: CoreUnderTest) {
  const { organization, store } = controller;
  const events = await store.events.read({ organizationId: organization.id }, 0, 1_000);
  return events.filter(({ type }) => type.startsWith('schedule.'));
}

test('what becomes of a schedule is told, each thing once, by its name', async () => {
  await using controller = await CoreUnderTest.start({ pollMs: minute });
  const { schedules } = controller.core;
  const request = { type: 'PING', targets: { all: true } };
  await controller.device('fw-1');
  const made = await schedules.create(controller.actor, {
    name: 'nightly',
    cron: '0 * * * *',
    scheduled_tasks: [{ kind: 'RUN', request }],
  });
  await schedules.change(controller.actor, 'nightly', { description: 'hourly by now' });
  await controller.clock.advance(60 * minute);
  const [run] = (await controller.store.runs.list(made.organizationId, { page: 1, perPage: 1 })).items;
  const [task] = await controller.store.schedules.tasksOf([made.id]);
  await schedules.removeTask(controller.actor, task?.code ?? '');
  await schedules.addTask(controller.actor, { schedule: 'nightly', kind: 'RUN', request, enabled: true });
  await schedules.remove(controller.actor, 'nightly');

  const events = await told(controller);
  expect(events.map(({ type }) => type)).toEqual([
    'schedule.created',
    'schedule.changed',
    'schedule.fired',
    'schedule.changed',
    'schedule.changed',
    'schedule.deleted',
  ]);
  expect(events.every(({ data }) => data['schedule'] === 'nightly')).toBe(true);
  expect(events[0]?.data).toMatchObject({ by: controller.actor.name, change: 'schedule.create' });
  expect(events[2]).toMatchObject({
    runId: run?.id,
    data: { scheduled_task: task?.code, fire_at: '2026-01-01T01:00:00.000Z' },
  });
});

test('a time that is skipped is told with its reason, and not again by the next look', async () => {
  await using controller = await CoreUnderTest.start({ pollMs: minute });
  const targets = { devices: ['nobody.*'] };
  await controller.core.schedules.create(controller.actor, {
    name: 'hourly',
    cron: '0 * * * *',
    scheduled_tasks: [{ kind: 'RUN', request: { type: 'PING', targets } }],
  });
  await controller.clock.advance(90 * minute);
  const skipped = (await told(controller)).filter(({ type }) => type === 'schedule.skipped');
  expect(skipped).toMatchObject([
    {
      runId: null,
      data: { schedule: 'hourly', fire_at: '2026-01-01T01:00:00.000Z', reason: expect.any(String) },
    },
  ]);
});
