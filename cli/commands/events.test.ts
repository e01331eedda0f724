import { expect, test } from 'vitest';
import { until } from '../../test/harness/until.ts';
import { FakeController } from '../testing/fake-controller.ts';
import { startMuster } from '../testing/run-muster.ts';

test('prints events as they come until Ctrl-C, and says where to go on', async () => {
  await using controller = await FakeController.start();
  const muster = startMuster(['events'], { url: controller.url });
  await until('it listens', () => controller.streams === 1);
  controller.emit('device.online', { device: 'edge-1' });
  controller.emit('a.type-of-a-newer-controller', { task: 'aB3dE6gH' });
  await until('both are printed', () => muster.stdout.includes('aB3dE6gH'));
  muster.interrupt();
  const { exitCode, stdout, stderr } = await muster.ended;
  expect(exitCode).toBe(130);
  expect(stdout).toMatch(/^2026-01-01 00:00:00 Z {2}device\.online +edge-1\n/);
  expect(stderr).toContain('muster events --after 2');
});

test('prints one JSON object a line, and resumes where it is told', async () => {
  await using controller = await FakeController.start();
  const muster = startMuster(['events', '--json', '--after', '41', '--run', 'r'], { url: controller.url });
  await until('it listens', () => controller.streams === 1);
  expect(controller.seen[0]).toMatchObject({
    headers: { 'last-event-id': '41' },
    query: { run: 'r', organization: 'default' },
  });
  controller.emit('device.online', { device: 'edge-1' });
  await until('it is printed', () => muster.stdout.endsWith('\n'));
  expect(JSON.parse(muster.stdout)).toMatchObject({ cursor: 1, type: 'device.online', device: 'edge-1' });
  muster.interrupt();
  expect((await muster.ended).exitCode).toBe(130);
});
