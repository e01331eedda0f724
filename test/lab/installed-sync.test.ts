import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { InstalledDevice } from './installed-device.ts';
import { labMissing } from './lab.ts';

const rules = (chain: string): string =>
  `#!/usr/sbin/nft -f\nflush ruleset\ntable inet filter {\n  chain only {\n${chain}\n  }\n}\n`;
const open = rules(
  '    type filter hook input priority 0; policy accept;\n    icmp type echo-request accept',
);
/** Old connections live on, new ones are dropped. */
const lockOut = rules(
  '    type filter hook output priority 0; policy drop;\n    ct state established accept',
);

/** The agent has no root; its root helper runs the transaction, and the guard needs neither. */
describe.skipIf(labMissing('configuration by the root helper'))('configuration by the root helper', () => {
  let cluster: Cluster;
  let device: InstalledDevice;

  beforeAll(async () => {
    cluster = await Cluster.create('installed-sync');
    device = await InstalledDevice.enrolled(cluster, 'edge-1', {
      files: { '/etc/nftables.conf': '#!/usr/sbin/nft -f\nflush ruleset\n' },
    });
  });

  afterAll(async () => {
    await device?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  async function sync(nftables: string) {
    const folder = join(cluster.folder, 'bundle');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'nftables.conf'), nftables);
    const file = '{ path: /etc/nftables.conf, unit: nftables, source: nftables.conf }';
    writeFileSync(
      join(folder, 'bundle.yaml'),
      `profile: debian\ntargets: { all: true }\nfiles:\n  - ${file}\n`,
    );
    const put = await cluster.muster(['bundle', 'put', 'edge', '-F', join(folder, 'bundle.yaml')]);
    expect(put.exitCode, put.stderr).toBe(0);
    const wait = ['--yes', '--wait', '--timeout', '120s', '--json'];
    return cluster.muster(['sync', 'apply', '--device', 'edge-1', ...wait]);
  }

  test('what is desired is applied and confirmed', async () => {
    const end = await sync(open);
    expect(end.exitCode, end.stdout + end.stderr).toBe(0);
    expect(await device.box.must('nft', 'list', 'ruleset')).toContain('echo-request');
  });

  test('a lock-out is refused before the machine is touched, and the device stays', async () => {
    const before = await device.box.must('nft', 'list', 'ruleset');
    const end = await sync(lockOut);
    expect(end.exitCode).toBe(1);
    expect(end.stdout).toContain('rejected_preflight');
    expect(await device.box.must('nft', 'list', 'ruleset')).toBe(before);
    expect(await device.run('PING')).toMatchObject({ status: 'COMPLETED' });
  });

  test('the configuration is read without telling the agent what it may not know', async () => {
    const end = await cluster.muster(['pull', '--device', 'edge-1', '--wait', '--timeout', '60s', '--json']);
    expect(end.exitCode, end.stderr).toBe(0);
    const peek = await device.run('SCRIPT', { script: 'cat /var/lib/muster-root-helper/device.age' });
    expect(peek).toMatchObject({ status: 'FAILED' });
  });
});
