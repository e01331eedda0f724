import { expect, test } from 'vitest';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';

test('a gap that begins with lines that had arrived tells only what is missing', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await controller.connect(await controller.device('fw-1'));
  await controller.submit(['fw-1']);
  const code = await device.takeTask();
  const line = (number: number) =>
    ({ type: 'task.log', code, line: number, stream: 'stdout', text: `line ${number}` }) as const;
  const gap = (from: number, to: number) =>
    ({ type: 'task.gap', code, from, to, reason: 'outbox_full' }) as const;

  device.report(line(1), line(2));
  // The device never heard that lines 1 and 2 had been committed when it dropped them, and then dropped more.
  device.report(gap(1, 5));
  device.report(gap(1, 7), line(8), gap(3, 8));
  device.complete(code);
  const { id } = await controller.reaches(code, 'COMPLETED');

  expect((await controller.store.logs.read(id, 0, 100)).map(({ line: at, text }) => [at, text])).toEqual([
    [1, 'line 1'],
    [2, 'line 2'],
    [5, 'lines 3 to 5 were dropped: outbox_full'],
    [7, 'lines 6 to 7 were dropped: outbox_full'],
    [8, 'line 8'],
  ]);
});
