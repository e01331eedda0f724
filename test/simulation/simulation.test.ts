import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '../../shared/node/logger.ts';
import { plants } from './plants.ts';
import { simulate } from './simulate.ts';
import { prepareImage } from './world.ts';

let image: Buffer;
beforeAll(async () => {
  image = await prepareImage();
});

const program = fileURLToPath(new URL('main.ts', import.meta.url));
const log = () => silentLogger();

/** One process per half, so that both processors work. */
const halves = [
  { seed: 1, runs: 1_000 },
  { seed: 1_001, runs: 1_000 },
];
const halfMs = 20 * 60_000;

test('keeps every promise through 2,000 random schedules of faults', { timeout: halfMs }, async () => {
  const outcomes = await Promise.all(
    halves.map(({ seed, runs }) =>
      execa(process.execPath, [program, '--seed', String(seed), '--runs', String(runs), '-f', 'json'], {
        reject: false,
        timeout: halfMs,
      }),
    ),
  );
  expect(outcomes.flatMap(({ stderr }) => stderr.split('\n').filter((line) => /^seed /.test(line)))).toEqual(
    [],
  );
  expect(outcomes.map(({ stdout }) => JSON.parse(stdout) as unknown)).toMatchObject(
    halves.map(({ runs }) => ({ runs, failed: 0 })),
  );
});

test('the same seed is the same run, another seed another', async () => {
  const digests = [];
  for (const seed of [7, 7, 8]) digests.push((await simulate({ seed, image, log })).digest);
  expect(digests[0]).toBe(digests[1]);
  expect(digests[0]).not.toBe(digests[2]);
});

describe('a planted bug is found', () => {
  /** Which promise it breaks, and within how many seeds that must show. */
  const expected: Record<string, { invariant: string; seeds: number }> = {
    'outbox-ack': { invariant: 'the state shown is true', seeds: 100 },
    'execute-before-start': { invariant: 'no task is executed before or after its time', seeds: 20 },
    'forget-fence': { invariant: 'the state shown is true', seeds: 200 },
    'late-result-wins': { invariant: 'states follow only allowed moves', seeds: 100 },
    'forget-the-key': { invariant: 'an answered request made its tasks, once', seeds: 200 },
    'run-again-after-crash': { invariant: 'no task is executed twice', seeds: 50 },
    'believe-the-reboot': { invariant: 'the state shown is true', seeds: 50 },
    'confirm-without-lock': { invariant: 'a device has the old configuration or the new one', seeds: 200 },
    'no-boot-restore': { invariant: 'a device has the old configuration or the new one', seeds: 100 },
    'guard-in-the-agent': { invariant: 'no lock-out stays', seeds: 50 },
    'lose-a-line': { invariant: 'every log line is present once or covered by a gap', seeds: 20 },
  };

  test.each(Object.entries(expected))('%s', async (name, { invariant, seeds }) => {
    const plant = plants[name];
    if (!plant) throw new Error(`there is no planted bug ${name}`);
    const seen = new Set<string>();
    for (let seed = 1; seed <= seeds && !seen.has(invariant); seed += 1) {
      const { violations } = await simulate({ seed, image, plant, log });
      for (const violation of violations) seen.add(violation.invariant);
    }
    expect([...seen]).toContain(invariant);
  });

  test('each of them', () => {
    expect(Object.keys(expected).sort()).toEqual(Object.keys(plants).sort());
  });
});
