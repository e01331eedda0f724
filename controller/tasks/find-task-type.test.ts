import { describe, expect, test } from 'vitest';
import type { RunRequest } from '../../shared/api/tasks.ts';
import type { AppError } from '../../shared/errors.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import { keepNetdiag, netdiagManifest } from '../../test/harness/plugin-archive.ts';
import { until } from '../../test/harness/until.ts';

const type = 'NETDIAG.TRACEROUTE';
const payload = { host: '1.1.1.1' };

/** A controller that has `netdiag`, and a device that has it too. */
async function start() {
  const controller = await CoreUnderTest.start();
  const { store, organization } = controller;
  await keepNetdiag(store, organization.id);
  const device = await controller.connect(await controller.device('fw-1'), { taskTypes: ['PING', type] });
  return { controller, store, organization, device };
}

const refused = (controller: CoreUnderTest, over: Partial<RunRequest> = {}): Promise<unknown> =>
  controller.submit(['fw-1'], { type, payload, ...over }).catch((error: AppError) => error);

test('a task of a plugin has the time-out of its manifest, and parameters with the defaults of its schema', async () => {
  const { controller, device } = await start();
  await using _ = controller;
  const [code = ''] = await controller.submit(['fw-1'], { type, payload });
  const { parameters, timeoutMs, lane, expiresInMs } = await controller.task(code);
  expect(JSON.parse(parameters)).toEqual({ host: '1.1.1.1', count: 3 });
  expect({ timeoutMs, lane, expiresInMs }).toEqual({
    timeoutMs: 90_000,
    lane: 'script',
    expiresInMs: 86_400_000,
  });
  expect(await device.takeTask()).toBe(code);
  device.complete(code, { hops: ['192.0.2.1'] });
  expect((await controller.reaches(code, 'COMPLETED')).result).toEqual({ hops: ['192.0.2.1'] });

  const [bounded = ''] = await controller.submit(['fw-1'], { type, payload, timeout_seconds: 7 });
  expect((await controller.task(bounded)).timeoutMs).toBe(7_000);
});

test.each([
  [{}, 'host'],
  [{ host: 1 }, 'host'],
  [{ host: 'a', count: 11 }, 'count'],
  [{ host: 'a', hots: 'b' }, 'hots'],
])('parameters %j are refused by the schema of the plugin', async (wrong, field) => {
  const { controller } = await start();
  await using _ = controller;
  expect(await refused(controller, { payload: wrong })).toMatchObject({
    code: 'invalid_parameters',
    message: expect.stringMatching(new RegExp(`^payload of ${type} is not valid: .*${field}`)),
  });
});

describe('the type of a plugin is not known', () => {
  test.each([
    ['that nobody added', 'OTHER.MTR', 'there is no release of it that is not yanked: add one with'],
    ['that has no such type', 'NETDIAG.MTR', 'netdiag 1.0.0: expected one of TRACEROUTE'],
    ['that has no such type either', 'NETDIAG.CONSTRUCTOR', 'expected one of TRACEROUTE'],
  ] as const)('%s', async (_what, other, why) => {
    const { controller } = await start();
    await using _ = controller;
    expect(await refused(controller, { type: other })).toMatchObject({
      code: 'task_type_not_supported',
      message: expect.stringContaining(why),
    });
  });

  test('once every version of it was yanked', async () => {
    const { controller, store, organization } = await start();
    await using _ = controller;
    for (const row of await store.releases.ofVersion(organization.id, 'netdiag', '1.0.0')) {
      await store.releases.yank(row, 1);
    }
    expect(await refused(controller)).toMatchObject({ code: 'task_type_not_supported' });
  });

  test('when it is of another organization', async () => {
    await using controller = await CoreUnderTest.start();
    const other = { id: 'other', name: 'other', displayName: 'other', createdAt: 0 };
    await controller.store.access.insertOrganization(other);
    await keepNetdiag(controller.store, other.id);
    await controller.device('fw-1');
    expect(await refused(controller)).toMatchObject({ code: 'task_type_not_supported' });
  });
});

test('the promoted version counts, else the newest that is not yanked', async () => {
  const { controller, store, organization } = await start();
  await using _ = controller;
  const { TRACEROUTE } = netdiagManifest().task_types;
  const timeoutOf = async () => {
    const [code = ''] = await controller.submit(['fw-1'], { type, payload });
    return (await controller.task(code)).timeoutMs / 1000;
  };
  const seconds = (timeout_seconds: number) => ({
    task_types: { TRACEROUTE: { ...TRACEROUTE, timeout_seconds } },
  });
  await keepNetdiag(store, organization.id, { version: '1.10.0', ...seconds(110) });
  await keepNetdiag(store, organization.id, { version: '1.9.0', ...seconds(109) });
  expect(await timeoutOf()).toBe(110);
  const of = { organizationId: organization.id, name: 'netdiag', platform: 'any' };
  const [newest, middle] = [await store.releases.get(of, '1.10.0'), await store.releases.get(of, '1.9.0')];
  if (!newest || !middle) throw new Error('the plugin is not there');
  await store.releases.promote(middle, 1);
  expect(await timeoutOf()).toBe(109);
  await store.releases.yank(middle, 2);
  await store.releases.yank(newest, 2);
  expect(await timeoutOf()).toBe(90);
});

test('a device without the plugin is refused when it is named, else left out, with what to do', async () => {
  const { controller } = await start();
  await using _ = controller;
  await controller.connect(await controller.device('bare'), { taskTypes: ['PING'] });
  await controller.connect(await controller.device('old'), { taskTypes: ['PING', 'NETDIAG.MTR'] });
  const request = { type, payload, force: false, dry_run: false } as const;
  const { actor, organization } = controller;
  const { answer } = await controller.core.submit({
    ...{ actor, organization, trigger: 'manual' },
    request: { ...request, targets: { all: true } },
  });
  expect(answer.tasks.map(({ device_name }) => device_name)).toEqual(['fw-1']);
  const bare = 'the plugin netdiag is not installed there: muster run plugin-install netdiag';
  expect(answer.skipped).toEqual([
    { device_name: 'bare', reason: bare },
    {
      device_name: 'old',
      reason: `its version of the plugin netdiag has no ${type}: muster run plugin-install netdiag`,
    },
  ]);
  expect(await refused(controller, { targets: { devices: ['bare'] } })).toMatchObject({
    code: 'task_type_not_supported',
    message: `${type} cannot be sent to bare: ${bare}`,
  });
});

test('a failed task of a plugin is tried again when that was asked for, and by hand', async () => {
  const { controller, device } = await start();
  await using _ = controller;
  const [code = ''] = await controller.submit(['fw-1'], {
    ...{ type, payload, max_retries: 1, retry_delay_seconds: 0 },
  });
  await device.takeTask();
  device.fail(code);
  const { runId } = await controller.reaches(code, 'FAILED');
  const again = await until('it is tried again', async () => {
    await controller.clock.advance(2_000);
    return device.offers().find((one) => one !== code);
  });
  await device.takeTask();
  device.fail(again);
  await controller.reaches(again, 'FAILED');
  const { actor, organization } = controller;
  const { tasks } = await controller.core.retryRun(
    { actor, organization },
    { run: runId ?? '', only: ['FAILED'] },
  );
  const row = await controller.task(tasks[0]?.task ?? '');
  expect(row).toMatchObject({ type, retryOf: again, timeoutMs: 90_000 });
});

test('a schedule runs a task of a plugin, and is refused one that its schema refuses', async () => {
  const { controller, device } = await start();
  await using _ = controller;
  const { actor, organization } = controller;
  const { schedules } = controller.core;
  await schedules.create(actor, { name: 'nightly', cron: '0 3 * * *' });
  const addTask = (request: object) =>
    schedules.addTask(actor, {
      ...{ schedule: 'nightly', kind: 'RUN', enabled: true },
      request: { type, targets: { devices: ['fw-1'] }, ...request },
    });
  await expect(addTask({ payload: {} })).rejects.toMatchObject({ code: 'invalid_parameters' });
  await expect(addTask({ type: 'OTHER.MTR' })).rejects.toMatchObject({ code: 'task_type_not_supported' });
  await addTask({ payload });
  await schedules.runNow(actor, organization, 'nightly');
  const code = await device.takeTask();
  expect(JSON.parse((await controller.task(code)).parameters)).toEqual({ host: '1.1.1.1', count: 3 });
});
