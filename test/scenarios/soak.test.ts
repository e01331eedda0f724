import { expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';

/** Bursts of work with idle time between them: native modules have been seen to abort a runtime only after a minute with both. */
const burst = 20;
const idleMs = 14_000;
const rounds = 5;

test('controller and agents live through bursts and idle time of more than a minute', {
  timeout: 240_000,
}, async () => {
  await using cluster = await Cluster.create('soak', { agents: ['soak-1', 'soak-2'] });
  const pids = () => [cluster.controller, ...cluster.agents].map(({ program }) => program.pid);
  const before = pids();
  const started = performance.now();

  for (let round = 0; round < rounds; round++) {
    const made = await Promise.all(
      Array.from({ length: burst }, () =>
        cluster.controller.run({
          type: 'SCRIPT',
          targets: { all: true },
          payload: { script: 'for i in 1 2 3 4 5; do echo line $i; done' },
        }),
      ),
    );
    for (const code of made.flat()) {
      expect(await cluster.controller.ended(code)).toMatchObject({ status: 'COMPLETED' });
    }
    const idleUntil = performance.now() + idleMs;
    await until('idle time is over', () => performance.now() > idleUntil, { everyMs: 1_000 });
    for (const { program } of [cluster.controller, ...cluster.agents]) expect(program.isAlive).toBe(true);
  }
  expect(performance.now() - started).toBeGreaterThan(60_000);
  expect(pids()).toEqual(before);
});
