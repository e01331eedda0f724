/** One run request for very many devices: until it is accepted, and until all of its tasks are visible. */
import { emit, median, numberOption } from './measure.ts';
import { MusterController } from './muster-controller.ts';

export async function accept(): Promise<void> {
  const devices = numberOption('connections', 10_000);
  const runs = numberOption('runs', 3);
  const controller = await MusterController.create();
  await controller.addDevices(devices);
  await controller.start();
  const accepted: number[] = [];
  const visible: number[] = [];
  try {
    for (let run = 0; run < runs; run += 1) {
      const startedAt = performance.now();
      const { total } = await controller.run({ all: true }, 0);
      accepted.push((performance.now() - startedAt) / 1000);
      const listed = await controller.request<{ total: number }>('GET', '/tasks?status=PENDING&per_page=1');
      visible.push((performance.now() - startedAt) / 1000);
      const expected = devices * (run + 1);
      if (total !== devices || listed.total !== expected) {
        throw new Error(`expected ${expected} PENDING tasks, the list tells ${listed.total}`);
      }
    }
  } finally {
    await controller.stop();
  }
  emit('accept', { devices, runs, acceptedSeconds: median(accepted), visibleSeconds: median(visible) });
}
