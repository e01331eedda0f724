import { cpus, freemem } from 'node:os';
import { expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';

const count = 200;
/** Resident memory of one agent, with room to spare. */
const mibPerAgent = 80;

test(`${count} real agents come back to a controller that was killed, and nothing is lost`, {
  timeout: 480_000,
}, async () => {
  const freeMib = freemem() / 1024 / 1024;
  if (freeMib < count * mibPerAgent) {
    throw new Error(`this needs ${count * mibPerAgent} MiB of free memory, there are ${Math.floor(freeMib)}`);
  }
  await using cluster = await Cluster.create('fleet');
  const names = Array.from({ length: count }, (_, index) => `unit-${String(index).padStart(3, '0')}`);

  // In waves: so many processes starting at once would only wait for each other.
  for (let at = 0; at < count; at += cpus().length * 4) {
    const wave = names.slice(at, at + cpus().length * 4);
    await Promise.all(wave.map((name) => cluster.enrolled(name)));
    await Promise.all(wave.map((name) => cluster.approve(name)));
    for (const name of wave) cluster.agent(name).start();
  }
  const online = async () =>
    (await cluster.controller.call('GET', '/api/v1/organizations/default/devices?online=true&per_page=1'))[
      'total'
    ];
  await until('all are online', async () => (await online()) === count, {
    deadlineMs: 240_000,
    everyMs: 250,
    last: online,
  });

  const { run } = await cluster.controller.call('POST', '/api/v1/organizations/default/tasks', {
    type: 'SCRIPT',
    targets: { all: true },
    payload: { script: 'echo once; sleep 0.2' },
  });
  const counts = async () =>
    (await cluster.controller.call('GET', `/api/v1/runs/${String(run)}`))['counts'] as Record<string, number>;
  await until('some have run', async () => ((await counts())['COMPLETED'] ?? 0) > 5, { last: counts });
  await cluster.controller.kill();
  await cluster.controller.start();

  await until('all are back', async () => (await online()) === count, {
    deadlineMs: 180_000,
    everyMs: 250,
    last: online,
  });
  await until('all have run', async () => (await counts())['COMPLETED'] === count, {
    deadlineMs: 180_000,
    everyMs: 250,
    last: counts,
  });
  const codes: string[] = [];
  for (const page of [1, 2]) {
    const list = await cluster.controller.call(
      'GET',
      `/api/v1/tasks?run=${String(run)}&per_page=100&page=${page}`,
    );
    codes.push(...(list['items'] as { task: string }[]).map(({ task }) => task));
  }
  expect(new Set(codes).size).toBe(count);
  for (const code of codes) expect(await cluster.controller.logs(code)).toEqual(['once']);
  expect(cluster.agents.every(({ program }) => program.isAlive)).toBe(true);
});
