import { describe, expect, test } from 'vitest';
import type { HeldState } from '../../shared/protocol/hello.ts';
import { closeCodes } from '../../shared/protocol/version.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import type { ScriptedDevice } from '../../test/harness/scripted-device.ts';

/** A device with one SCRIPT that is offered, whose link then breaks. */
async function offeredThenCut(controller: CoreUnderTest): Promise<{ id: string; code: string }> {
  const id = await controller.device('fw-1');
  const device = await controller.connect(id);
  const [code = ''] = await controller.submit(['fw-1'], { type: 'SCRIPT', payload: { script: 'x' } });
  await device.next('task.offer');
  device.socket.terminate();
  return { id, code };
}

/** The same, with the task started before the link breaks. */
async function startedThenCut(controller: CoreUnderTest): Promise<{ id: string; code: string }> {
  const id = await controller.device('fw-1');
  const device = await controller.connect(id);
  await controller.submit(['fw-1'], { type: 'SCRIPT', payload: { script: 'x' } });
  const code = await device.takeTask();
  device.socket.terminate();
  return { id, code };
}

async function verdictOf(controller: CoreUnderTest, id: string, code: string, state: HeldState) {
  const device = controller.link(id);
  device.hello({ connection: 2, lastSeq: 1, tasks: [{ code, attempt: 1, state }] });
  const welcome = await device.next('welcome');
  return { device, verdict: welcome.tasks.find((task) => task.code === code)?.verdict };
}

describe('a task that the device lists', () => {
  test('as accepted, while it is PENDING here, is started in the hello', async () => {
    await using controller = await CoreUnderTest.start();
    const { id, code } = await offeredThenCut(controller);
    const { verdict } = await verdictOf(controller, id, code, 'accepted');
    expect(verdict).toBe('start');
    expect((await controller.task(code)).status).toBe('IN_PROGRESS');
  });

  test('as accepted, after it expired, is forgotten', async () => {
    await using controller = await CoreUnderTest.start();
    const { id, code } = await offeredThenCut(controller);
    controller.clock.jump(25 * 3_600_000);
    const { verdict } = await verdictOf(controller, id, code, 'accepted');
    expect(verdict).toBe('forget');
    await controller.clock.advance(1_000);
    expect((await controller.task(code)).status).toBe('EXPIRED');
  });

  test('as accepted, after it was cancelled, is forgotten', async () => {
    await using controller = await CoreUnderTest.start();
    const { id, code } = await offeredThenCut(controller);
    await controller.core.cancelTask(controller.actor, code, { request: false });
    expect((await verdictOf(controller, id, code, 'accepted')).verdict).toBe('forget');
  });

  test.each([
    ['accepted', 'start'],
    ['running', 'keep'],
    ['finished', 'keep'],
  ] as const)('as %s, while it is IN_PROGRESS here: %s', async (state, expected) => {
    await using controller = await CoreUnderTest.start();
    const { id, code } = await startedThenCut(controller);
    expect((await verdictOf(controller, id, code, state)).verdict).toBe(expected);
    expect((await controller.task(code)).status).toBe('IN_PROGRESS');
  });

  test('as running, with a cancel request made while it was away, is cancelled', async () => {
    await using controller = await CoreUnderTest.start();
    const { id, code } = await startedThenCut(controller);
    await controller.core.cancelTask(controller.actor, code, { request: true });
    expect((await verdictOf(controller, id, code, 'running')).verdict).toBe('cancel');
  });

  test('as accepted, with a cancel request made while it was away, is started and then cancelled', async () => {
    await using controller = await CoreUnderTest.start();
    const { id, code } = await startedThenCut(controller);
    await controller.core.cancelTask(controller.actor, code, { request: true });
    const { device, verdict } = await verdictOf(controller, id, code, 'accepted');
    expect(verdict).toBe('start');
    expect((await device.next('task.cancel')).code).toBe(code);
  });

  test.each([
    ['accepted', 'forget'],
    ['running', 'cancel'],
    ['finished', 'keep'],
  ] as const)('as %s, after it timed out here: %s', async (state, expected) => {
    await using controller = await CoreUnderTest.start();
    const { id, code } = await startedThenCut(controller);
    await controller.clock.advance(3_600_000 + 20_000);
    expect(await controller.task(code)).toMatchObject({ status: 'FAILED', errorCode: 'timed_out' });
    expect((await verdictOf(controller, id, code, state)).verdict).toBe(expected);
  });

  test.each([
    ['accepted', 'forget'],
    ['running', 'cancel'],
    ['finished', 'keep'],
  ] as const)('as %s, and is not known here: %s', async (state, expected) => {
    await using controller = await CoreUnderTest.start();
    const id = await controller.device('fw-1');
    expect((await verdictOf(controller, id, 'zzzzzzzz', state)).verdict).toBe(expected);
  });

  test('and belongs to another device, is not known', async () => {
    await using controller = await CoreUnderTest.start();
    const { code } = await startedThenCut(controller);
    const other = await controller.device('fw-2');
    expect((await verdictOf(controller, other, code, 'running')).verdict).toBe('cancel');
    expect((await controller.task(code)).status).toBe('IN_PROGRESS');
  });

  test('occupies its slot', async () => {
    await using controller = await CoreUnderTest.start();
    const { id, code } = await startedThenCut(controller);
    const device = controller.link(id);
    device.hello({
      connection: 2,
      lastSeq: 1,
      slots: { script: 1 },
      tasks: [{ code, attempt: 1, state: 'running' }],
    });
    await device.next('welcome');
    await controller.submit(['fw-1'], { type: 'SCRIPT', payload: { script: 'y' } });
    await controller.clock.advance(2_000);
    expect(device.offers()).toEqual([]);
  });
});

test('a running task that the device does not list is lost, its outcome unknown', async () => {
  await using controller = await CoreUnderTest.start();
  const { id, code } = await startedThenCut(controller);
  await controller.connect(id, { connection: 2, lastSeq: 1 });
  expect(await controller.task(code)).toMatchObject({ status: 'FAILED', errorCode: 'lost_by_device' });
});

test('a running task survives a restart of the controller', async () => {
  await using controller = await CoreUnderTest.start();
  const { id, code } = await startedThenCut(controller);
  await controller.restart();
  const { device, verdict } = await verdictOf(controller, id, code, 'running');
  expect(verdict).toBe('keep');
  device.complete(code);
  await controller.reaches(code, 'COMPLETED');
});

test('the welcome tells which rows are committed, and whether facts are wanted', async () => {
  await using controller = await CoreUnderTest.start();
  const { id, code } = await startedThenCut(controller);
  const device = controller.link(id);
  const tasks = [{ code, attempt: 1, state: 'running' as const }];
  device.hello({ connection: 2, lastSeq: 3, factsDigest: 'f1', tasks });
  expect(await device.next('welcome')).toMatchObject({ ackedSeq: 1, factsWanted: true, protocol: 1 });
  device.send({ type: 'facts.report', digest: 'f1', facts: { os: 'test' } });
  device.report({ type: 'task.log', code, line: 1, stream: 'stdout', text: 'x' });
  await device.next('report.ack');
  const again = controller.link(id);
  again.hello({ connection: 3, lastSeq: 4, factsDigest: 'f1', tasks });
  expect(await again.next('welcome')).toMatchObject({ factsWanted: false, ackedSeq: 4 });
  expect((await controller.store.devices.get(id))?.facts).toEqual({ os: 'test' });
});

describe('fencing', () => {
  test('a newer link replaces the older one', async () => {
    await using controller = await CoreUnderTest.start();
    const id = await controller.device('fw-1');
    const older = await controller.connect(id);
    const newer = await controller.connect(id, { connection: 2 });
    expect((await older.closing()).code).toBe(closeCodes.superseded);
    expect(newer.closed).toBeUndefined();
    expect(controller.core.devices.isOnline(id)).toBe(true);
    await controller.clock.advance(100);
    expect(await controller.eventTypes()).toEqual(['device.online']);
  });

  test('a hello on a link that was opened before the newest is stale: nothing of it counts', async () => {
    await using controller = await CoreUnderTest.start();
    const { id, code } = await startedThenCut(controller);
    const delayed = controller.link(id);
    const tasks = [{ code, attempt: 1, state: 'running' as const }];
    const newest = await controller.connect(id, { connection: 3, lastSeq: 1, tasks });
    // It lists no task: taken seriously, it would fail the running one.
    delayed.hello({ connection: 2, lastSeq: 1 });
    expect((await delayed.closing()).code).toBe(closeCodes.superseded);
    expect((await controller.task(code)).status).toBe('IN_PROGRESS');
    expect(newest.closed).toBeUndefined();
  });

  test('also when the newest has closed since', async () => {
    await using controller = await CoreUnderTest.start();
    const { id, code } = await startedThenCut(controller);
    const delayed = controller.link(id);
    const tasks = [{ code, attempt: 1, state: 'running' as const }];
    const newest = await controller.connect(id, { connection: 3, lastSeq: 1, tasks });
    newest.socket.terminate();
    await controller.clock.advance(10);
    delayed.hello({ connection: 2, lastSeq: 1 });
    expect((await delayed.closing()).code).toBe(closeCodes.superseded);
    expect((await controller.task(code)).status).toBe('IN_PROGRESS');
  });

  test('reports that were on their way when the newer link said hello count once', async () => {
    await using controller = await CoreUnderTest.start();
    const id = await controller.device('fw-1');
    const older = await controller.connect(id);
    await controller.submit(['fw-1']);
    const code = await older.takeTask();
    const newer = controller.link(id);
    older.complete(code, { round_trip_ms: 1 });
    newer.hello({ connection: 2, lastSeq: 2, tasks: [{ code, attempt: 1, state: 'finished' }] });
    const { ackedSeq } = await newer.next('welcome');
    newer.seq = ackedSeq;
    if (ackedSeq < 2) newer.complete(code, { round_trip_ms: 1 });
    await controller.reaches(code, 'COMPLETED');
    expect((await controller.eventTypes(code)).filter((type) => type === 'task.completed')).toHaveLength(1);
  });

  const quarantined = async (controller: CoreUnderTest, id: string, link: ScriptedDevice, reason: RegExp) => {
    expect((await link.closing()).code).toBe(closeCodes.quarantined);
    expect((await controller.store.devices.get(id))?.quarantineReason).toMatch(reason);
    expect(await controller.eventTypes()).toContain('device.quarantined');
    const { items } = await controller.store.audit.list(
      { action: 'device.quarantine', organizationId: controller.organization.id },
      { page: 1, perPage: 10 },
    );
    expect(items[0]).toMatchObject({ action: 'device.quarantine', actor: 'controller', target: 'fw-1' });
    // Approving it lifts the quarantine.
    await controller.core.devices.approve(controller.actor, 'fw-1');
    expect((await controller.store.devices.get(id))?.quarantinedAt).toBeNull();
  };

  test('an epoch that goes back is a copy: quarantine, for both links', async () => {
    await using controller = await CoreUnderTest.start();
    const id = await controller.device('fw-1');
    const first = await controller.connect(id, { epoch: 5 });
    const second = controller.link(id);
    second.hello({ epoch: 4, instanceId: 'copy' });
    await quarantined(controller, id, second, /epoch went back from 5 to 4/);
    expect((await first.closing()).code).toBe(closeCodes.quarantined);
  });

  test('two agents in one epoch are a copy', async () => {
    await using controller = await CoreUnderTest.start();
    const id = await controller.device('fw-1');
    await controller.connect(id);
    const second = controller.link(id);
    second.hello({ instanceId: 'copy' });
    await quarantined(controller, id, second, /two agents/);
  });

  test('a new local database is taken, and the old one must not return', async () => {
    await using controller = await CoreUnderTest.start();
    const id = await controller.device('fw-1');
    await controller.connect(id, { epoch: 5 });
    await controller.connect(id, { epoch: 1, storeId: 'store-2' });
    const third = controller.link(id);
    third.hello({ epoch: 6 });
    await quarantined(controller, id, third, /store-1 came back/);
  });

  test('an outbox that goes back is an older copy of the database', async () => {
    await using controller = await CoreUnderTest.start();
    const { id } = await startedThenCut(controller);
    const second = controller.link(id);
    second.hello({ epoch: 2, instanceId: 'instance-2', lastSeq: 0 });
    await quarantined(controller, id, second, /outbox went back from row 1 to 0/);
  });

  test('a device that was disabled after its link was opened is not welcomed', async () => {
    await using controller = await CoreUnderTest.start();
    const id = await controller.device('fw-1');
    const device = controller.link(id);
    await controller.store.devices.setStatus(id, 'DISABLED', 0);
    device.hello();
    expect((await device.closing()).code).toBe(closeCodes.deviceNotEnabled);
  });
});

test('online and offline are told once each', async () => {
  await using controller = await CoreUnderTest.start();
  const id = await controller.device('fw-1');
  const device = await controller.connect(id);
  device.socket.close(1000, 'done');
  await controller.clock.advance(10);
  expect(controller.core.devices.isOnline(id)).toBe(false);
  expect(await controller.eventTypes()).toEqual(['device.online', 'device.offline']);
  await controller.connect(id, { connection: 2 });
  expect(await controller.eventTypes()).toEqual(['device.online', 'device.offline', 'device.online']);
});
