import { expect, test } from 'vitest';
import { closeCodes } from '../../shared/protocol/version.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import { settle } from '../../test/harness/test-clock.ts';

const script = { type: 'SCRIPT', payload: { script: 'x' } } as const;

test('a row that comes twice is applied once, and acknowledged again', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1'], script);
  const code = await device.takeTask();
  await device.next('report.ack');
  const row = { type: 'task.log', code, line: 1, stream: 'stdout', text: 'once', seq: 2, at: 0 } as const;
  for (const _time of [1, 2]) {
    device.send({ type: 'report.batch', reports: [row] });
    expect((await device.next('report.ack')).seq).toBe(2);
  }
  const { id } = await controller.task(code);
  expect(await controller.store.logs.read(id, 0, 10)).toHaveLength(1);
});

test('rows below the last applied one are left out, whatever they say', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1'], script);
  const code = await device.takeTask();
  device.seq = 10;
  device.report({ type: 'task.progress', code, attempt: 1, percent: 50 });
  device.send({
    type: 'report.batch',
    reports: [{ type: 'task.result', code, attempt: 1, outcome: 'COMPLETED', seq: 9, at: 0 }],
  });
  device.report({ type: 'task.progress', code, attempt: 1, percent: 60 });
  await settle();
  expect(await controller.task(code)).toMatchObject({ status: 'IN_PROGRESS', progress: 60 });
  expect(device.received.at(-1)).toEqual({ type: 'report.ack', seq: 12 });
});

test('a gap in the numbers is fine: rows were dropped on the device', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1'], script);
  const code = await device.takeTask();
  device.seq = 500;
  device.complete(code);
  await controller.reaches(code, 'COMPLETED');
  await device.next('report.ack');
  expect((await device.next('report.ack')).seq).toBe(501);
});

test('the first end of a task wins, also within one batch', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1'], script);
  const code = await device.takeTask();
  await controller.core.cancelTask(controller.actor, code, { request: true });
  device.report(
    { type: 'task.cancelled', code, attempt: 1 },
    { type: 'task.result', code, attempt: 1, outcome: 'COMPLETED', result: { exit_code: 0 } },
  );
  expect(await controller.reaches(code, 'CANCELLED')).toMatchObject({ lateResult: { outcome: 'COMPLETED' } });
});

test('the same end again is no evidence of anything', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1'], script);
  const code = await device.takeTask();
  device.complete(code);
  device.complete(code);
  await controller.reaches(code, 'COMPLETED');
  await settle();
  expect((await controller.task(code)).lateResult).toBeNull();
});

test('an accept that is repeated after the start is told to start again', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1'], script);
  const code = await device.takeTask();
  device.accept(code);
  expect((await device.next('task.start')).codes).toEqual([code]);
  expect((await controller.eventTypes(code)).filter((type) => type === 'task.started')).toHaveLength(1);
});

test('a line from a clock beyond all dates is kept under a date that can be shown', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1'], script);
  const code = await device.takeTask();
  const row = { type: 'task.log', code, stream: 'stdout', text: 'x' } as const;
  const far = Number.MAX_SAFE_INTEGER;
  const reports = [far, -far].map((at, index) => ({ ...row, at, line: index + 1, seq: (device.seq += 1) }));
  device.send({ type: 'report.batch', reports });
  await device.next('report.ack');
  await device.next('report.ack');
  const lines = await controller.store.logs.read((await controller.task(code)).id, 0, 10);
  expect(lines.map(({ at }) => new Date(at).toISOString().slice(-14))).toEqual([
    'T23:59:59.999Z',
    'T00:00:00.000Z',
  ]);
});

test('a device cannot report on another device’s task', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  const other = await controller.connect(await controller.device('fw-2'), { storeId: 'store-2' });
  await controller.submit(['fw-1'], script);
  const code = await device.takeTask();
  other.report({ type: 'task.log', code, line: 1, stream: 'stdout', text: 'not mine' });
  other.complete(code);
  other.accept(code);
  expect((await other.next('task.forget')).codes).toEqual([code]);
  await other.next('report.ack');
  const task = await controller.task(code);
  expect(task).toMatchObject({ status: 'IN_PROGRESS', lateResult: null });
  expect(await controller.store.logs.read(task.id, 0, 10)).toEqual([]);
});

test('nothing is acknowledged before it is committed; a link whose share cannot be stored is closed, the others are served', async () => {
  await using controller = await CoreUnderTest.start();
  const bad = await controller.connect(await controller.device('fw-1'));
  const good = await controller.connect(await controller.device('fw-2'), { storeId: 'store-2' });
  await controller.submit(['fw-1', 'fw-2'], script);
  const code = await bad.takeTask();
  const other = await good.takeTask();
  await settle();

  const { store } = controller;
  const transaction = store.transaction.bind(store);
  store.transaction = (work) =>
    transaction((tables) =>
      work(
        new Proxy(tables, {
          get: (target, key) =>
            key !== 'devices'
              ? Reflect.get(target, key)
              : new Proxy(target.devices, {
                  get: (devices, name) => {
                    if (name !== 'advance') return (Reflect.get(devices, name) as () => void).bind(devices);
                    return (rows: { deviceId: string; storeId: string; seq: number }[]) => {
                      if (rows.some(({ deviceId }) => deviceId === bad.id)) throw new Error('planted');
                      return target.devices.advance(rows);
                    };
                  },
                }),
        }),
      ),
    );
  bad.complete(code);
  good.complete(other);
  await controller.reaches(other, 'COMPLETED');
  expect((await bad.closing()).code).toBe(closeCodes.overloaded);
  expect(good.closed).toBeUndefined();
  expect((await controller.task(code)).status).toBe('IN_PROGRESS');
  expect(bad.received.filter(({ type }) => type === 'report.ack')).toHaveLength(1);
  expect(controller.core.status().commitFailures).toBe(1);
});

test('a link that does not wait for acknowledgements is closed before it fills the memory', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1'], script);
  const code = await device.takeTask();
  for (let batch = 0; batch < 12; batch += 1) {
    device.report(
      ...Array.from({ length: 1_000 }, (_row, line) => ({
        type: 'task.log' as const,
        code,
        line: batch * 1_000 + line + 1,
        stream: 'stdout' as const,
        text: 'x',
      })),
    );
  }
  expect((await device.closing()).code).toBe(closeCodes.overloaded);
});

test('a link that sends few long rows, or refusals, without end is closed too', async () => {
  await using controller = await CoreUnderTest.start();
  const long = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1'], script);
  const code = await long.takeTask();
  const text = 'x'.repeat(16_384);
  for (let batch = 0; batch < 6; batch += 1) {
    const row = { type: 'task.log', code, stream: 'stdout', text } as const;
    long.report(...Array.from({ length: 60 }, (_row, line) => ({ ...row, line: batch * 60 + line + 1 })));
  }
  expect((await long.closing()).code).toBe(closeCodes.overloaded);

  const refusing = await controller.connect(await controller.device('fw-2'), { storeId: 'store-2' });
  for (let count = 0; count < 1_100; count += 1) {
    refusing.send({ type: 'task.refused', code, reason: 'busy', message: '' });
  }
  expect((await refusing.closing()).code).toBe(closeCodes.overloaded);
});
