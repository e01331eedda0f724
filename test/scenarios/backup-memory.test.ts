import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateAgeKeys } from '../../shared/node/age.ts';
import { joinBulkDevice } from '../harness/bulk-device.ts';
import { Cluster } from '../harness/cluster.ts';
import { residentPeak } from '../harness/resident-peak.ts';

const mib = 1024 * 1024;
const smallMib = 32;
const largeMib = 320;
/** A tenth and less of what more is backed up: enough for a heap that breathes, too little for anything that piles up. */
const maxGrowthMib = 120;

test('neither agent nor controller needs more memory for a larger backup', async () => {
  await using cluster = await Cluster.create('backup-memory');
  const { agent, folder } = await joinBulkDevice(cluster);
  mkdirSync(join(folder, 'data'));
  const keys = await Promise.all([generateAgeKeys(), generateAgeKeys()]);
  const recipients = keys.flatMap(({ recipient }) => ['--recipient', recipient]);
  const muster = async (...args: string[]): Promise<void> => {
    const end = await cluster.muster(args);
    expect({ args, ...end }).toMatchObject({ exitCode: 0 });
  };
  await muster('backup', 'config', 'set', ...recipients, '--include', join(folder, 'data'));

  let held = 0;
  const peaksOf = async (sizeMib: number): Promise<{ agent: number; controller: number }> => {
    for (; held < sizeMib; held += 1) {
      appendFileSync(join(folder, 'data', `${Math.floor(held / 64)}.bin`), randomBytes(mib));
    }
    const peaks = [agent.program.pid, cluster.controller.program.pid].map(residentPeak);
    await muster('backup', 'run', '--full', '--device', 'edge-1', '--wait');
    const [agentMib = 0, controllerMib = 0] = peaks.map((peak) => peak());
    return { agent: agentMib, controller: controllerMib };
  };
  const small = await peaksOf(smallMib);
  const large = await peaksOf(largeMib);
  console.log(`highest memory in MiB: ${JSON.stringify({ small, large })}`);
  expect(large.agent - small.agent).toBeLessThan(maxGrowthMib);
  expect(large.controller - small.controller).toBeLessThan(maxGrowthMib);
}, 180_000);
