import { describe, expect, test } from 'vitest';
import type { CreateSchedule } from '../../shared/api/schedules.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';

const minute = 60_000;
const hour = 60 * minute;
const page = { page: 1, perPage: 100 };

const create = (controller: CoreUnderTest, over: Partial<CreateSchedule> = {}) =>
  controller.core.schedules.create(controller.actor, {
    name: 'nightly',
    cron: '0 2 * * *',
    scheduled_tasks: [{ kind: 'RUN', request: { type: 'PING', targets: { all: true } } }],
    ...over,
  });

/** Looks rarely, so that days pass quickly. */
const start = () => CoreUnderTest.start({ pollMs: 10 * minute });

/** The clock jumps to the next time that is so many hours after midnight: what looks each second need not look through all of them. */
function jumpTo({ clock }: CoreUnderTest, hours: number): void {
  const day = 24 * hour;
  clock.jump((hours * hour - (clock.now() % day) + day) % day);
}

const runs = async (controller: CoreUnderTest) =>
  (await controller.store.runs.list(controller.organization.id, page)).items;

async function firings(controller: CoreUnderTest, name = 'nightly') {
  const { id } = await controller.core.schedules.get(controller.organization.id, name);
  const { items } = await controller.store.schedules.firings(id, page);
  return items.map(({ fireAt, outcome, reason }) => [
    new Date(fireAt).toISOString().slice(11, 16),
    outcome,
    ...(reason === null ? [] : [reason.split(':')[0]]),
  ]);
}

describe('a schedule', () => {
  test('fires at its time, once, and says when it is due next', async () => {
    await using controller = await start();
    await controller.device('fw-1');
    const made = await create(controller);
    expect(made.nextRunAt).toBe(Date.UTC(2026, 0, 1, 2));
    await controller.clock.advance(2 * hour - 1);
    expect(await runs(controller)).toEqual([]);
    await controller.clock.advance(1000);
    expect(await runs(controller)).toMatchObject([
      {
        trigger: 'schedule',
        schedule: { name: 'nightly' },
        createdBy: 'schedule nightly',
        total: 1,
        createdAt: Date.UTC(2026, 0, 1, 2),
      },
    ]);
    expect(await firings(controller)).toEqual([['02:00', 'fired']]);
    expect(await controller.core.schedules.get(controller.organization.id, 'nightly')).toMatchObject({
      lastFiredAt: Date.UTC(2026, 0, 1, 2),
      nextRunAt: Date.UTC(2026, 0, 2, 2),
    });
  });

  test('runs each of its enabled tasks, and none while it is disabled', async () => {
    await using controller = await start();
    await controller.device('fw-1');
    const request = { type: 'PING', targets: { all: true } };
    await create(controller, { cron: '0 * * * *' });
    const { core, actor } = controller;
    const reboot = { schedule: 'nightly', kind: 'RUN' as const, enabled: true };
    await core.schedules.addTask(actor, { ...reboot, request: { ...request, type: 'REBOOT' } });
    const off = await core.schedules.addTask(actor, { ...reboot, request });
    await core.schedules.changeTask(actor, off.code, { enabled: false });
    await controller.clock.advance(hour + 1000);
    expect((await runs(controller)).map(({ type }) => type).sort()).toEqual(['PING', 'REBOOT']);
    const disabled = await core.schedules.change(actor, 'nightly', { enabled: false });
    expect(disabled.nextRunAt).toBeNull();
    await controller.clock.advance(3 * hour);
    expect(await runs(controller)).toHaveLength(2);
  });

  test('is skipped while a run of it is open, unless it may overlap', async () => {
    await using controller = await start();
    await controller.device('fw-1');
    const request = { type: 'PING', targets: { all: true }, expires_in_seconds: 5 * 3600 };
    const tasks = [{ kind: 'RUN' as const, request }];
    await create(controller, { cron: '0 * * * *', scheduled_tasks: tasks });
    await create(controller, { name: 'eager', cron: '0 * * * *', overlap: 'allow', scheduled_tasks: tasks });
    await controller.clock.advance(2 * hour + 1000);
    expect(await firings(controller)).toEqual([
      ['02:00', 'skipped', 'overlap'],
      ['01:00', 'fired'],
    ]);
    expect(await firings(controller, 'eager')).toEqual([
      ['02:00', 'fired'],
      ['01:00', 'fired'],
    ]);
    const [first] = (await runs(controller)).filter(({ schedule }) => schedule?.name === 'nightly');
    await controller.core.cancelRun(controller.actor, first?.id ?? '', { request: false });
    await controller.clock.advance(hour);
    expect((await firings(controller))[0]).toEqual(['03:00', 'fired']);
  });

  test('fires once for what it missed within the grace, and skips what is older', async () => {
    await using controller = await start();
    await controller.device('fw-1');
    await create(controller, { cron: '* * * * *', overlap: 'allow' });
    await controller.clock.advance(1.5 * minute);
    expect(await firings(controller)).toEqual([['00:01', 'fired']]);
    controller.clock.jump(3 * minute);
    await controller.clock.advance(minute / 2);
    expect(await firings(controller)).toEqual([
      ['00:05', 'fired'],
      ['00:02', 'skipped', 'missed'],
      ['00:01', 'fired'],
    ]);
  });

  test('is skipped when its time came too long ago', async () => {
    await using controller = await start();
    await controller.device('fw-1');
    await create(controller);
    controller.clock.jump(2 * hour + 5 * minute + 1000);
    await controller.clock.advance(10 * minute);
    expect(await runs(controller)).toEqual([]);
    expect(await firings(controller)).toEqual([['02:00', 'skipped', 'missed']]);
    jumpTo(controller, 1.75);
    await controller.clock.advance(30 * minute);
    expect(await firings(controller)).toEqual([
      ['02:00', 'fired'],
      ['02:00', 'skipped', 'missed'],
    ]);
  });

  test('never fires twice for one time when the clock is put back', async () => {
    await using controller = await start();
    await controller.device('fw-1');
    await create(controller, { cron: '0 * * * *', overlap: 'allow' });
    await controller.clock.advance(2 * hour + 10 * minute);
    controller.clock.jump(-90 * minute); // 00:40
    await controller.clock.advance(3 * hour);
    expect((await firings(controller)).map(([at]) => at)).toEqual(['03:00', '02:00', '01:00']);
    expect(await runs(controller)).toHaveLength(3);
  });

  test('comes in time although the clock was far ahead when it was computed', async () => {
    await using controller = await start();
    await controller.device('fw-1');
    const year = 365 * 24 * hour;
    controller.clock.jump(4 * year);
    await create(controller);
    await controller.clock.advance(10 * minute);
    controller.clock.jump(-4 * year);
    await controller.clock.advance(2 * hour);
    expect(await firings(controller)).toEqual([['02:00', 'fired']]);
  });

  test('whose targets are gone is skipped, and says so', async () => {
    await using controller = await start();
    await create(controller);
    await controller.clock.advance(2 * hour + 1000);
    expect(await firings(controller)).toEqual([['02:00', 'skipped', 'No selected device can be sent PING']]);
  });

  test('that follows its devices fires once per zone, for those that are there', async () => {
    await using controller = await start();
    await controller.device('berlin', { labels: { timezone: 'Europe/Berlin' } });
    await controller.device('paris', { labels: { timezone: 'Europe/Paris' } });
    await controller.device('lost', { labels: { timezone: 'Nowhere' } });
    await create(controller, { timezone: 'device' });
    await controller.device('tokyo', { labels: { timezone: 'Asia/Tokyo' } });
    await controller.clock.advance(2 * hour + 1000);
    for (const hours of [16.75, 0.75]) {
      jumpTo(controller, hours);
      await controller.clock.advance(30 * minute);
    }
    const made = (await runs(controller)).map(({ createdAt, total }) => [
      new Date(createdAt).toISOString().slice(11, 16),
      total,
    ]);
    expect(made.sort()).toEqual([
      ['01:00', 1],
      ['01:00', 1],
      ['01:00', 1],
      ['01:00', 1],
      ['02:00', 1],
      ['17:00', 1],
    ]);
  });

  test('can be run by a person at any time, disabled or not', async () => {
    await using controller = await start();
    await controller.device('fw-1');
    const { core, actor, organization } = controller;
    await create(controller, { enabled: false });
    const answer = await core.schedules.runNow(actor, organization, 'nightly');
    expect(answer).toMatchObject({ schedule: 'nightly', runs: [{ total: 1, error: null }] });
    expect(await runs(controller)).toMatchObject([{ trigger: 'manual', schedule: { name: 'nightly' } }]);
    const row = await core.schedules.get(organization.id, 'nightly');
    expect(row).toMatchObject({ lastFiredAt: null, lastRunAt: controller.clock.now() });
  });

  test('that was deleted leaves its runs', async () => {
    await using controller = await start();
    await controller.device('fw-1');
    await create(controller);
    await controller.clock.advance(2 * hour + 1000);
    await controller.core.schedules.remove(controller.actor, 'nightly');
    jumpTo(controller, 1.75);
    await controller.clock.advance(30 * minute);
    expect(await runs(controller)).toMatchObject([{ schedule: { name: 'nightly' } }]);
  });
});

describe('what is refused', () => {
  test.each<[Partial<CreateSchedule>, object]>([
    [{ cron: '0 0 2 * * *' }, { status: 400, message: expect.stringContaining('seconds') as string }],
    [{ timezone: 'EST' }, { status: 400, message: expect.stringContaining('abbreviation') as string }],
    [{ schedule: '0 2 * * *' }, { code: 'exclusive_options' }],
    [{ scheduled_tasks: [{ kind: 'RUN', request: { type: 'BACKUP', targets: {} } }] }, { status: 422 }],
    [{ scheduled_tasks: [{ kind: 'RUN', request: { type: 'CONNECT', targets: {} } }] }, { status: 422 }],
    [{ scheduled_tasks: [{ kind: 'RUN', request: { type: 'SCRIPT', targets: {} } }] }, { status: 422 }],
    [{ scheduled_tasks: [{ kind: 'PULL', request: {} }] }, { status: 400 }],
  ])('%j', async (wish, refusal) => {
    await using controller = await start();
    await expect(create(controller, wish)).rejects.toMatchObject(refusal);
    expect((await controller.store.schedules.list(controller.organization.id, page)).total).toBe(0);
  });

  test('a name that is taken', async () => {
    await using controller = await start();
    await create(controller);
    await expect(create(controller)).rejects.toMatchObject({ status: 409, code: 'name_taken' });
  });
});

describe('a failed task', () => {
  test('is tried again after the delay, as often as its schedule says, and then its run has failed', async () => {
    await using controller = await CoreUnderTest.start();
    const id = await controller.device('fw-1');
    await create(controller, { max_retries: 2, retry_delay_seconds: 30 });
    await controller.clock.advance(2 * hour);
    const device = await controller.connect(id);
    const codes: string[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const code = await device.takeTask();
      codes.push(code);
      device.fail(code);
      await controller.reaches(code, 'FAILED');
      await controller.clock.advance(5_000);
      const [run] = await runs(controller);
      expect(run?.completedAt === null).toBe(attempt < 2);
      await controller.clock.advance(27_000);
    }
    const tasks = await Promise.all(codes.map((code) => controller.task(code)));
    expect(tasks.map(({ retryOf, retryNumber }) => [retryOf, retryNumber])).toEqual([
      [null, 0],
      [codes[0], 1],
      [codes[1], 2],
    ]);
    await controller.clock.advance(5 * minute);
    expect(await runs(controller)).toMatchObject([{ counts: { FAILED: 1, SCHEDULED: 0 }, retryOpen: false }]);
  });
});
