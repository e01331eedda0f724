import { expect, test } from 'vitest';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import { FleetSize, reconnectWithinMs } from './fleet-size.ts';

test('a handful tries again within two seconds, and however many there are, at most 400 a second do', () => {
  expect([1, 5, 400].map(reconnectWithinMs)).toEqual([2_000, 2_000, 2_000]);
  expect([1_000, 10_000, 1_000_000].map(reconnectWithinMs)).toEqual([5_000, 50_000, 60_000]);
  for (let devices = 1; devices <= 12_000; devices += 97) {
    const dialsPerSecond = (2 * devices) / (reconnectWithinMs(devices) / 1000);
    expect(dialsPerSecond).toBeLessThanOrEqual(401);
  }
});

test('devices are counted once a minute', async () => {
  let asked = 0;
  const devices = { countEnabled: async () => (asked += 1) };
  const fleet = new FleetSize();
  expect(await fleet.count({ devices }, 0)).toBe(1);
  expect(await fleet.count({ devices }, 59_999)).toBe(1);
  expect(await fleet.count({ devices }, 60_000)).toBe(2);
});

test('a welcome says within how long to come back, by the devices there are and not by those that are back already', async () => {
  await using controller = await CoreUnderTest.start();
  const first = await controller.device('fw-0');
  for (let index = 1; index < 600; index += 1) await controller.device(`fw-${index}`);
  await controller.device('not yet', { status: 'PENDING' });
  const device = controller.link(first);
  device.hello();
  expect(await device.next('welcome')).toMatchObject({ reconnectWithinMs: 3_000 });
});
