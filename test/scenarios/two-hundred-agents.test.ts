import { cpus, freemem } from 'node:os';
import { expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { notTested } from '../harness/not-tested.ts';
import { until } from '../harness/until.ts';

const wanted = 200;
/** What one more agent takes of the machine's memory (PSS: programs and libraries are shared), with room to spare. */
const mibPerAgent = 85;
const count = Math.min(wanted, Math.floor(freemem() / 1024 / 1024 / mibPerAgent));
notTested(
  `${wanted} agents at a time`,
  count < wanted ? `There is memory for ${count}: so many are tested` : undefined,
);
/** So many processes starting at once would only wait for each other. */
const waveSize = cpus().length * 4;

test(`${count} real agents come back to a controller that was killed, and nothing is lost`, {
  timeout: 480_000,
}, async () => {
  await using cluster = await Cluster.create('fleet');
  const { controller } = cluster;
  const online = async () =>
    (await controller.call('GET', '/api/v1/organizations/default/devices?online=true&per_page=1'))['total'];
  const allOnline = (many: number) =>
    until(`${many} agents are online`, async () => Number(await online()) >= many, {
      deadlineMs: 180_000,
      everyMs: 100,
      last: online,
    });

  for (let at = 0; at < count; at += waveSize) {
    const wave = Array.from({ length: Math.min(waveSize, count - at) }, (_, index) => `unit-${at + index}`);
    for (const name of wave) await cluster.enrolledHere(name);
    await Promise.all(wave.map((name) => cluster.approve(name)));
    for (const name of wave) cluster.agent(name).start();
    await allOnline(at + wave.length);
  }

  const { run } = await controller.call('POST', '/api/v1/organizations/default/tasks', {
    type: 'SCRIPT',
    targets: { all: true },
    payload: { script: 'echo once; sleep 0.2' },
  });
  const counts = async () =>
    (await controller.call('GET', `/api/v1/runs/${String(run)}`))['counts'] as Record<string, number>;
  await until('some have run', async () => ((await counts())['COMPLETED'] ?? 0) > 5, { last: counts });
  await controller.kill();
  await controller.start();

  await allOnline(count);
  await until('all have run', async () => (await counts())['COMPLETED'] === count, {
    deadlineMs: 180_000,
    everyMs: 250,
    last: counts,
  });
  const codes: string[] = [];
  for (let page = 1; codes.length < count; page++) {
    const list = await controller.call('GET', `/api/v1/tasks?run=${String(run)}&per_page=100&page=${page}`);
    codes.push(...(list['items'] as { task: string }[]).map(({ task }) => task));
  }
  expect(new Set(codes).size).toBe(count);
  for (const code of codes) expect(await controller.logs(code)).toEqual(['once']);
  expect(cluster.agents.every(({ program }) => program.isAlive)).toBe(true);
});
