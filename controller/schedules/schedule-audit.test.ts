import { expect, test } from 'vitest';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';

test('what a schedule runs is in the audit log without what is sent to devices, however it was changed', async () => {
  await using controller = await CoreUnderTest.start();
  const { core, actor, organization, store } = controller;
  const devices = Array.from({ length: 60 }, (_, at) => `fw-${at}`);
  for (const name of devices) await controller.device(name);
  const request = {
    type: 'SCRIPT',
    targets: { devices },
    payload: { script: 'login', env: { PASSWORD: 'hunter2' } },
  };
  await core.schedules.create(actor, { name: 'nightly', cron: '0 2 * * *' });
  const { code } = await core.schedules.addTask(actor, {
    schedule: 'nightly',
    kind: 'RUN',
    request,
    enabled: true,
  });
  await core.schedules.changeTask(actor, code, { request: { ...request, force: true } });

  const { items } = await store.audit.list({ organizationId: organization.id }, { page: 1, perPage: 10 });
  const told = items.filter(({ target }) => target === code);
  expect(told.map(({ action }) => action)).toEqual(['scheduled_task.update', 'scheduled_task.create']);
  expect(told[0]?.detail).toMatchObject({ schedule: 'nightly', request: { type: 'SCRIPT', force: true } });
  expect(JSON.stringify(told)).not.toContain('hunter2');
  expect(JSON.stringify(told)).toContain('and 10 more');
});
