import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';
import { InstalledDevice } from './installed-device.ts';
import { labMissing } from './lab.ts';
import type { VirtualMachine } from './machine/virtual-machine.ts';
import type { WriteCache } from './machine/volatile-disk.ts';

const bootsMs = 900_000;

describe.skipIf(labMissing('an agent on a machine with a disk that forgets'))('on a virtual machine', () => {
  let cluster: Cluster;
  let device: InstalledDevice<VirtualMachine>;
  const box = () => device.box;
  /** Written to the journal by the agent when something is on its disk, and read outside, where no power cut reaches. */
  const said = (event: string, task: string) =>
    until(
      `the console says ${event} of ${task}`,
      () =>
        box()
          .console()
          .split('\n')
          .some((line) => line.includes(`"${event}"`) && line.includes(task)),
      { deadlineMs: 120_000, everyMs: 50 },
    );
  const ran = async (name: string) => (await box().read(`/var/lib/${name}`)).trim().split('\n');
  /** Writes down that it ran, safely, and lasts as long as somebody wants. */
  const noted = (name: string) =>
    `echo ran >> /var/lib/${name}; sync; echo a line; until [ -e /run/go ]; do sleep 0.2; done`;

  beforeAll(async () => {
    cluster = await Cluster.create('virtual-machine');
    device = await InstalledDevice.onVirtualMachine(cluster, 'edge-1');
  }, bootsMs);

  afterAll(async () => {
    await device?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  test(
    'a REBOOT is COMPLETED by the boot id of another run of a real kernel',
    async () => {
      const before = await box().bootId();
      const task = await device.run('REBOOT', {}, 300_000);
      expect(task).toMatchObject({ status: 'COMPLETED', result: { previous_boot_id: before } });
      await box().booted(2);
      expect(task.result?.['boot_id']).toBe(await box().bootId());
      expect(task.result?.['boot_id']).not.toBe(before);
      expect(task.result?.['downtime_ms']).toBeGreaterThan(1000);
    },
    bootsMs,
  );

  const cuts: [string, WriteCache][] = [
    ['all that was not flushed is lost', 'lose'],
    ['a part of it is lost', { tear: 'outbox' }],
  ];
  test.each(cuts)(
    'results that wait are delivered after a power cut, once, and nothing runs again: %s',
    async (name, cache) => {
      const file = `ran-${typeof cache === 'string' ? cache : 'tear'}`;
      const waiting = await device.submit('SCRIPT', { script: noted(`${file}-waiting`), user: 'root' });
      await said('task.started', waiting);
      const running = await device.submit('SCRIPT', {
        script: `${noted(`${file}-running`)}; sleep 600`,
        user: 'root',
      });
      await until(
        'both ran',
        async () => (await box().exec(['test', '-s', `/var/lib/${file}-running`])).exitCode === 0,
      );
      await cluster.controller.kill();
      await box().must('touch', '/run/go');
      await said('task.finished', waiting);

      await box().powerCut(cache);
      await cluster.controller.start();
      await box().start();

      expect(await cluster.controller.ended(waiting, 180_000), name).toMatchObject({ status: 'COMPLETED' });
      expect(await cluster.controller.ended(running, 180_000)).toMatchObject({
        status: 'FAILED',
        error_code: 'interrupted',
      });
      expect(await cluster.controller.logs(waiting)).toEqual(['a line']);
      expect(await ran(`${file}-waiting`)).toEqual(['ran']);
      expect(await ran(`${file}-running`)).toEqual(['ran']);
    },
    bootsMs,
  );
});
