import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { joinBulkDevice } from '../harness/bulk-device.ts';
import { Cluster } from '../harness/cluster.ts';
import { residentPeak } from '../harness/resident-peak.ts';

const mib = 1024 * 1024;
const smallMib = 2;
const largeMib = 50;
/** Of the agent: three times the text; held whole, it was eleven times. */
const maxGrowthMib = 150;

const unit = `
    complete: { must_end_with: the end }
    secrets: [{ id: word, match: '^word (\\S+)', replace: token }]
`;

const plain = 'option value of a configuration line that is as long as such lines are\n';
const lines = `${plain.repeat(50)}word hidden\n`;
const text = (sizeMib: number): string =>
  `${lines.repeat(Math.ceil((sizeMib * mib) / lines.length))}-----BEGIN A KEY-----\nabc\n-----END A KEY-----\nthe end\n`;

test('an agent looks through a large text in little memory', async () => {
  await using cluster = await Cluster.create('pull-memory');
  const { agent, folder } = await joinBulkDevice(cluster, { path: 'max_bytes: 268435456', unit });

  const peakOf = async (sizeMib: number): Promise<number> => {
    writeFileSync(join(folder, 'one.conf'), text(sizeMib));
    const peak = residentPeak(agent.program.pid);
    const end = await cluster.muster(['pull', '--device', 'edge-1', '--wait']);
    expect(end).toMatchObject({ exitCode: 0 });
    return peak();
  };
  const small = await peakOf(smallMib);
  const large = await peakOf(largeMib);
  console.log(`highest memory of the agent in MiB: ${small} with ${smallMib} MiB, ${large} with ${largeMib}`);
  expect(large - small).toBeLessThan(maxGrowthMib);
}, 120_000);
