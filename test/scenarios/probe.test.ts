import { expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { runProgram } from '../harness/program.ts';

test('`muster-agent probe` tells a controller that answers from one that is down', async () => {
  await using cluster = await Cluster.create('probe', { agents: ['edge-1'] });
  const probe = () => runProgram('agent', ['probe', '--data', cluster.agent('edge-1').folder]);
  const { exitCode, stdout } = await probe();
  expect({ exitCode, ...JSON.parse(stdout) }).toMatchObject({ exitCode: 0, ok: true, phase: 'done' });
  await cluster.controller.kill();
  const down = await probe();
  expect({ exitCode: down.exitCode, ...JSON.parse(down.stdout) }).toMatchObject({
    exitCode: 8,
    ok: false,
    phase: 'tcp',
  });
});
