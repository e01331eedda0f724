import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { notTested } from '../harness/not-tested.ts';
import { SmallDisk } from '../harness/small-disk.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

using probe = temporaryFolder('disk-probe');
const unavailable = notTested(
  'what happens when a disk is full (this needs root)',
  SmallDisk.unavailable(probe.path),
);
const mib = 1024 * 1024;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.create('disk-full', { agents: ['bystander'] });
});
afterAll(() => cluster[Symbol.asyncDispose]());

const ping = async (device: string) =>
  (await cluster.controller.run({ type: 'PING', targets: { devices: [device] } }))[0] ?? '';

test.skipIf(unavailable)(
  'an agent whose disk is full goes on, refuses new tasks, and takes them when there is room',
  async () => {
    const folder = join(cluster.folder, 'full-agent');
    mkdirSync(folder);
    using disk = new SmallDisk(folder, 32 * mib);
    const agent = await cluster.join('full-agent', { folder });
    const [running = ''] = await cluster.controller.run({
      type: 'SCRIPT',
      targets: { devices: ['full-agent'] },
      payload: { script: 'echo on; sleep 2; echo off' },
    });
    await until('it runs', async () => (await cluster.controller.logs(running)).includes('on'));
    disk.fill();

    const waiting = await ping('full-agent');
    await until('it says that its disk is full', async () =>
      /disk/i.test((await cluster.controller.task(waiting)).message ?? ''),
    );
    expect(await cluster.controller.task(waiting)).toMatchObject({ status: 'PENDING' });
    expect(agent.program.isAlive).toBe(true);

    disk.free();
    expect(await cluster.controller.ended(running)).toMatchObject({ status: 'COMPLETED' });
    expect(await cluster.controller.ended(waiting, 90_000)).toMatchObject({ status: 'COMPLETED' });
    await agent[Symbol.asyncDispose]();
  },
);

test.skipIf(unavailable)(
  'a controller whose disk is full says so, loses nothing, and goes on when there is room',
  async () => {
    using outer = temporaryFolder('full-controller');
    const data = join(outer.path, 'data');
    mkdirSync(data);
    using disk = new SmallDisk(data, 64 * mib);
    await using own = await Cluster.create('full-controller', { agents: ['edge-1'], data });
    const [before = ''] = await own.controller.run({ type: 'PING', targets: { devices: ['edge-1'] } });
    await own.controller.ended(before);
    disk.fill();

    const refused = await until('a request meets the full disk', async () => {
      const answer = await own.controller.api('POST', '/api/v1/organizations/default/tasks', {
        type: 'SCRIPT',
        targets: { devices: ['edge-1'] },
        payload: { script: `exit 0 # ${'x'.repeat(200_000)}` },
      });
      return answer.status >= 500 ? answer : undefined;
    });
    expect(
      { status: refused.status, code: refused.body['code'] },
      own.controller.program.log().slice(-4000),
    ).toEqual({
      status: 507,
      code: 'disk_full',
    });
    expect(own.controller.program.isAlive).toBe(true);
    expect(await own.controller.task(before)).toMatchObject({ status: 'COMPLETED' });

    disk.free();
    const [after = ''] = await until('there is room again', () =>
      own.controller.run({ type: 'PING', targets: { devices: ['edge-1'] } }),
    );
    expect(await own.controller.ended(after, 90_000)).toMatchObject({ status: 'COMPLETED' });
  },
);
