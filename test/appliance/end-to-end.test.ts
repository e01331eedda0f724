import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Appliance, applianceUnavailable } from '../harness/appliance.ts';
import { Cluster } from '../harness/cluster.ts';
import { notTested } from '../harness/not-tested.ts';
import { projectRoot } from '../harness/source-files.ts';
import { until } from '../harness/until.ts';

/** Operator, controller, and an agent as a service of a real machine: each step as a person would do it. */

const canary = 'canary-Vahz4Ephoo7Ohquu';
const data = '/var/lib/muster-agent';

const good = (mark: string): string => `#!/usr/sbin/nft -f
flush ruleset
table inet filter {
  set office { type ipv4_addr; elements = { {{ offices | join: ", " }} } }
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iifname "lo" accept
    ip saddr @office tcp dport 22 accept
    meta l4proto icmp accept comment "${mark} {{ device.name }}"
  }
}
`;

/** Accepted by the validator: old connections live on, new ones are dropped. */
const lockOut = `#!/usr/sbin/nft -f
flush ruleset
table inet filter {
  chain output { type filter hook output priority 0; policy drop; ct state established accept; }
}
`;

const agentUnit = `[Service]
ExecStart=${process.execPath} ${projectRoot}/agent/bin.js start --data ${data}
Restart=always
RestartSec=200ms
KillMode=mixed
`;

describe.skipIf(notTested('configuration from end to end', applianceUnavailable()))(
  'configuration from end to end',
  () => {
    let cluster: Cluster;
    let box: Appliance;

    beforeAll(async () => {
      cluster = await Cluster.create('configuration');
      box = await Appliance.boot({
        name: 'edge-1',
        files: {
          '/etc/systemd/system/muster-agent.service': agentUnit,
          '/etc/nftables.conf': '#!/usr/sbin/nft -f\nflush ruleset\n',
        },
      });
      await box.expose(7443, cluster.controller.port);
      await enrolled(box, 'edge-1');
    });

    afterAll(async () => {
      await box?.[Symbol.asyncDispose]();
      await cluster?.[Symbol.asyncDispose]();
    });

    async function enrolled(machine: Appliance, name: string): Promise<void> {
      const { enrolmentToken } = cluster.controller;
      const enrol = [process.execPath, `${projectRoot}/agent/bin.js`, 'enrol', '--data', data];
      await machine.must(...enrol, '--url', 'http://hub:7443', '--token', enrolmentToken, '--name', name);
      await cluster.approve(name);
      await machine.must('systemctl', 'daemon-reload');
      await machine.must('systemctl', 'start', 'muster-agent');
      await cluster.online(name);
    }

    /** Files of a device as a pull sees them now; each device has tokens of its own for secrets. */
    async function seen(name: string): Promise<string> {
      await json('pull', '--device', name, '--wait');
      const { files } = (await json('config', 'show', name)) as { files: unknown[] };
      return JSON.stringify(files).replace(/<secret:[0-9a-f]{8}>/g, '<secret>');
    }

    const json = async (...args: string[]): Promise<unknown> => {
      const end = await cluster.muster([...args, '--json']);
      if (end.exitCode !== 0)
        throw new Error(`muster ${args.join(' ')}: ${end.exitCode}\n${end.stderr}${end.stdout}`);
      return JSON.parse(end.stdout) as unknown;
    };

    async function putBundle(rules: string): Promise<void> {
      const folder = join(cluster.folder, 'bundle');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'nftables.conf'), rules);
      writeFileSync(
        join(folder, 'bundle.yaml'),
        [
          'profile: debian',
          'description: packet filter',
          'targets: { all: true }',
          'files:',
          '  - { path: /etc/nftables.conf, unit: nftables, source: nftables.conf }',
          '  - path: /etc/motd',
          '    unit: files',
          '    template: "{{ device.name }} of {{ site }}\\n"',
          '  - path: /etc/issue',
          '    unit: files',
          '    template: "password {{ psk }}\\n"',
        ].join('\n'),
      );
      await json('bundle', 'put', 'edge', '-F', join(folder, 'bundle.yaml'));
    }

    const sync = (...more: string[]) =>
      cluster.muster([
        'sync',
        'apply',
        '--device',
        'edge-1',
        '--yes',
        '--wait',
        '--timeout',
        '120s',
        '--json',
        ...more,
      ]);
    const ruleset = () => box.must('nft', 'list', 'ruleset');

    test('what is desired is planned, applied, and confirmed', async () => {
      await json('variable', 'set', 'offices', '--json-value', '["192.0.2.1","192.0.2.2"]');
      await json('variable', 'set', 'site', 'berlin');
      const secret = await cluster.muster(['variable', 'set', 'psk', '--secret', '--value-stdin'], {
        stdin: canary,
      });
      expect(secret.stderr + secret.stdout).not.toContain(canary);
      expect(secret.exitCode).toBe(0);
      await putBundle(good('first'));

      const plan = await cluster.muster(['sync', 'plan', '--device', 'edge-1', '--json']);
      expect(plan.stdout).toContain('/etc/nftables.conf');
      expect(plan.stdout).not.toContain(canary);

      const applied = await sync();
      expect(applied.exitCode, applied.stderr + applied.stdout).toBe(0);
      expect(await ruleset()).toContain('first edge-1');
      expect(await ruleset()).toContain('192.0.2.2');
      expect(await box.read('/etc/motd')).toBe('edge-1 of berlin\n');
      expect(await box.read('/etc/issue')).toBe(`password ${canary}\n`);
      expect(applied.stdout + applied.stderr).not.toContain(canary);
      expect(await json('device', 'describe', 'edge-1')).toMatchObject({ drift_status: 'IN_SYNC' });
    });

    test('a ruleset that would lock the controller out is refused before it touches the host', async () => {
      const before = await ruleset();
      await putBundle(lockOut);
      const refused = await sync();
      expect(refused.exitCode).not.toBe(0);
      expect(refused.stdout).toContain('rejected_preflight');
      expect(await ruleset()).toBe(before);
      await putBundle(good('first'));
    });

    test('what somebody changed by hand is seen by a pull, and not overwritten unasked', async () => {
      await box.must('nft', 'add', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '8080', 'accept');
      await json('pull', '--device', 'edge-1', '--wait');
      expect(await json('device', 'describe', 'edge-1')).toMatchObject({ drift_status: 'DRIFT' });

      await box.write('/etc/motd', 'changed by hand\n');
      await json('pull', '--device', 'edge-1', '--wait');
      const items = (await json('config', 'list', 'edge-1')) as { version: number }[];
      expect(items.length).toBeGreaterThanOrEqual(2);
      const diff = await cluster.muster(['config', 'diff', 'edge-1']);
      expect(diff.stdout).toContain('+changed by hand');

      await box.write('/etc/motd', 'changed once more, and nobody looked\n');
      const refused = await sync();
      expect(refused.stdout).toContain('rejected_drift');
      expect(await box.read('/etc/motd')).toBe('changed once more, and nobody looked\n');
      const forced = await sync('--on-drift', 'overwrite');
      expect(forced.exitCode, forced.stderr + forced.stdout).toBe(0);
      expect(await box.read('/etc/motd')).toBe('edge-1 of berlin\n');
      expect(await ruleset()).not.toContain('8080');

      await box.must('nft', 'add', 'rule', 'inet', 'filter', 'input', 'tcp', 'dport', '8081', 'accept');
      const running = await sync();
      expect(running.stdout).toContain('rejected_drift');
      expect(running.stdout).toContain('nftables');
      expect((await sync('--on-drift', 'overwrite')).exitCode).toBe(0);
      expect(await ruleset()).not.toContain('8081');
    });

    test('a backup is proven readable, opened without Muster, and restored', async () => {
      const keys = ['one', 'two'].map((name) => {
        const file = join(cluster.folder, `${name}.key`);
        execFileSync('age-keygen', ['-o', file], { stdio: 'pipe' });
        return { file, recipient: execFileSync('age-keygen', ['-y', file]).toString().trim() };
      });
      const [first, second] = keys as [(typeof keys)[number], (typeof keys)[number]];
      await json('backup', 'config', 'set', '--recipient', first.recipient, '--recipient', second.recipient);
      await json('backup', 'run', '--device', 'edge-1', '--wait');
      const items = (await json('backup', 'list')) as { id: string; level: string }[];
      const [archive] = items;
      expect(archive?.level).toBe('readable');

      const file = join(cluster.folder, 'edge-1.age');
      await cluster.muster(['backup', 'download', archive?.id ?? '', '-O', file]);
      const out = join(cluster.folder, 'opened');
      mkdirSync(out);
      execFileSync('sh', [
        '-c',
        `age -d -i "$1" "$2" | zstd -d | tar -x -C "$3"`,
        'sh',
        second.file,
        file,
        out,
      ]);
      expect(readFileSync(join(out, 'files/etc/issue'), 'utf8')).toBe(`password ${canary}\n`);

      await box.write('/etc/motd', 'broken\n');
      const restored = await cluster.muster([
        'backup',
        'restore',
        archive?.id ?? '',
        '--device',
        'edge-1',
        '--identity-file',
        first.file,
        '--with-secrets',
        '--wait',
        '--yes',
      ]);
      expect(restored.exitCode, restored.stderr + restored.stdout).toBe(0);
      expect(await box.read('/etc/motd')).toBe('edge-1 of berlin\n');

      await using fresh = await Appliance.boot({
        name: 'edge-2',
        hub: box.hub,
        files: {
          '/etc/systemd/system/muster-agent.service': agentUnit,
          '/etc/nftables.conf': '#!/usr/sbin/nft -f\nflush ruleset\n',
        },
      });
      await enrolled(fresh, 'edge-2');
      const order = [
        'backup',
        'restore',
        archive?.id ?? '',
        '--device',
        'edge-2',
        '--identity-file',
        first.file,
      ];
      const moved = await cluster.muster([...order, '--with-secrets', '--wait', '--yes']);
      expect(moved.exitCode, moved.stderr + moved.stdout).toBe(0);
      expect(await fresh.must('nft', 'list', 'ruleset')).toContain('first edge-1');
      expect(await fresh.read('/etc/issue')).toBe(`password ${canary}\n`);
      expect(await seen('edge-2')).toBe(await seen('edge-1'));
    }, 300_000);

    test('an agent that is killed for good in the middle leaves the old configuration', async () => {
      const before = await ruleset();
      await putBundle(good('second'));
      const applying = cluster.muster([
        'sync',
        'apply',
        '--device',
        'edge-1',
        '--yes',
        '--confirm-seconds',
        '30',
        '--json',
      ]);
      await until('the new rules are in place', async () => (await ruleset()).includes('second'), {
        deadlineMs: 60_000,
      });
      await box.write('/etc/systemd/system/muster-agent.service.d/dead.conf', '[Service]\nRestart=no\n');
      await box.must('systemctl', 'daemon-reload');
      await box.must('systemctl', 'kill', '--signal=SIGKILL', 'muster-agent');
      await until('the old rules are back', async () => (await ruleset()) === before, { deadlineMs: 45_000 });
      await applying;

      expect((await box.exec(['systemctl', 'is-active', 'muster-agent'])).stdout.trim()).toBe('failed');
      await box.must('systemctl', 'start', 'muster-agent');
      await until(
        'the task tells',
        async () => {
          const rows = (await json('sync', 'status', '--device', 'edge-1')) as { drift_status: string }[];
          return rows[0]?.drift_status === 'ERROR';
        },
        { deadlineMs: 60_000 },
      );
      const again = await sync();
      expect(again.stdout + again.stderr).toMatch(/quarantin|rolled back/);
    });

    test('no secret is anywhere in the controller', () => {
      for (const name of readdirSync(cluster.controller.folder, { recursive: true }) as string[]) {
        const path = join(cluster.controller.folder, name);
        if (statSync(path).isFile()) expect(readFileSync(path, 'latin1'), path).not.toContain(canary);
      }
      expect(cluster.controller.program.log()).not.toContain(canary);
    });
  },
);
