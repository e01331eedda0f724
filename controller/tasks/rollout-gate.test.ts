import { expect, test } from 'vitest';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';

test('a batch is kept although the controller forgot what it had offered', async () => {
  await using controller = await CoreUnderTest.start();
  const [first, second] = [await controller.device('fw-1'), await controller.device('fw-2')];
  const early = await controller.connect(first);
  await controller.submit(['fw-1', 'fw-2'], { rollout: { batch: '1' } });
  const { code } = await early.next('task.offer');

  // The first device holds its task, and nobody heard of it; the controller starts anew and turns to the second.
  await controller.restart();
  const other = await controller.connect(second);
  const running = await other.takeTask();
  const late = controller.link(first);
  late.hello({ epoch: 2, instanceId: 'instance-2', tasks: [{ code, attempt: 1, state: 'accepted' }] });

  expect((await late.next('welcome')).tasks).toEqual([{ code, verdict: 'forget' }]);
  expect((await controller.task(code)).status).toBe('PENDING');
  other.complete(running);
  expect(await late.takeTask()).toBe(code);
});
