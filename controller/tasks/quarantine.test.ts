import { expect, test } from 'vitest';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';

test('a device whose disk was put back to an earlier state is let in again by an approval', async () => {
  await using controller = await CoreUnderTest.start();
  const id = await controller.device('fw-1');
  const before = await controller.connect(id, { epoch: 7 });
  await controller.submit(['fw-1']);
  before.complete(await before.takeTask());
  await before.next('report.ack');
  await before.next('report.ack');
  const snapshot = { epoch: 3, instanceId: 'instance-2', lastSeq: 1 };

  const refused = controller.link(id);
  refused.hello(snapshot);
  expect((await refused.closing()).reason).toBe('epoch went back from 7 to 3');
  await controller.core.devices.approve(controller.actor, 'fw-1');

  const back = controller.link(id);
  back.hello(snapshot);
  // What the controller has committed stays committed: the device numbers its next rows after it.
  expect((await back.next('welcome')).ackedSeq).toBe(2);
  back.seq = 2;
  const [code = ''] = await controller.submit(['fw-1']);
  back.complete(await back.takeTask());
  await controller.reaches(code, 'COMPLETED');
});
