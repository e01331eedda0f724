import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Appliance, applianceUnavailable } from '../../../test/harness/appliance.ts';
import { notTested } from '../../../test/harness/not-tested.ts';
import { projectRoot } from '../../../test/harness/source-files.ts';
import { until } from '../../../test/harness/until.ts';

const rules = (output: string, input: string): string => `flush ruleset
table inet filter {
  chain output { type filter hook output priority 0; ${output} }
  chain input { type filter hook input priority 0; ${input} }
}
`;
const good = rules(
  'policy accept;',
  'policy drop; iif lo accept; ct state established accept; meta l4proto { icmp, icmpv6 } accept;',
);

/** Stages an nftables file, loads it in a scratch, and tries to reach the controller from there. */
const program = `
  import { openScratch } from '${join(projectRoot, 'agent/transaction/linux/scratch.ts')}';
  import { createCommands } from '${join(projectRoot, 'agent/transaction/linux/commands.ts')}';
  import { stageFile } from '${join(projectRoot, 'agent/transaction/linux/workspace-staged.ts')}';
  import { WorkspaceLayout } from '${join(projectRoot, 'agent/transaction/linux/workspace-layout.ts')}';
  import { createProcesses } from '${join(projectRoot, 'agent/system/processes.ts')}';
  import { mkdtempSync } from 'node:fs';

  const { rules, controller, commands } = JSON.parse(process.argv[1]);
  const folder = mkdtempSync('/var/lib/transactions-');
  const workspace = { id: 'aB3dE6gH' };
  const wanted = { path: '/etc/nftables.conf', mode: '0644', owner: 'root', group: 'root' };
  await stageFile(new WorkspaceLayout(folder, workspace.id), wanted, [Buffer.from(rules)]);
  const run = createCommands({ processes: createProcesses(), folder });
  const signal = new AbortController().signal;
  const outcome = { commands: [], before: undefined, after: undefined };
  {
    await using scratch = await openScratch(workspace, { controller, signal });
    outcome.before = await scratch.connect(1000, signal);
    for (const argv of commands) {
      const command = { argv, timeout_s: 10, ok_exit_codes: [0] };
      outcome.commands.push(await run(command, 'scratch', { signal, workspace, scratch }));
    }
    outcome.after = await scratch.connect(1000, signal);
  }
  console.log(JSON.stringify(outcome));
  process.exit();`;

interface Outcome {
  commands: { exitCode: number | null; output: string }[];
  before: { ok: boolean; ms: number; error?: string };
  after: { ok: boolean; ms: number; error?: string };
}

/** Opens a scratch, starts a daemon in it, says so, and stays. */
const stayingProgram = `
  import { LinuxScratch } from '${join(projectRoot, 'agent/transaction/linux/scratch.ts')}';
  import { spawn } from 'node:child_process';

  const controller = { host: '198.51.100.7', port: 8443 };
  const scratch = await LinuxScratch.open('test', { controller, signal: new AbortController().signal });
  const [file, ...args] = [...scratch.entrance, 'setsid', 'sleep', '4713'];
  spawn(file, args, { stdio: 'ignore' }).on('spawn', () => console.log('open'));
  setInterval(() => {}, 1000);`;

const load = ['nft', '-f', '/etc/nftables.conf'];

/** With the rights that a service has there, not with all of this machine's. */
const asService = ['systemd-run', '--quiet', '--pipe', '--wait', '--collect'];

describe.skipIf(notTested('the scratch namespace', applianceUnavailable()))('a scratch', () => {
  let appliance: Appliance;
  beforeAll(async () => {
    appliance = await Appliance.boot({
      nics: [
        { name: 'wan0', addresses: ['10.77.0.20/24', 'fd77::20/64'] },
        { name: 'lan.100', addresses: ['192.168.7.1/24'] },
      ],
    });
  });
  afterAll(() => appliance[Symbol.asyncDispose]());

  const preflight = async (options: {
    rules?: string;
    commands?: string[][];
    controller?: { host: string; port: number };
  }): Promise<Outcome> => {
    const request = {
      rules: options.rules ?? good,
      controller: options.controller ?? { host: '198.51.100.7', port: 8443 },
      commands: options.commands ?? [load],
    };
    const argv = [
      ...asService,
      process.execPath,
      '--input-type=module-typescript',
      '-e',
      program,
      JSON.stringify(request),
    ];
    return JSON.parse(await appliance.must(...argv)) as Outcome;
  };

  test.each([
    ['behind the gateway', '198.51.100.7'],
    ['behind the gateway, by IPv6', '2001:db8::7'],
    ['on the same network', '10.77.0.77'],
    ['on the same network, by IPv6', 'fd77::77'],
    ['the gateway itself', '10.77.0.1'],
    ['on loopback', '127.0.0.1'],
    ['on loopback, by IPv6', '::1'],
    ['on this machine', '192.168.7.1'],
    ['known by a name', 'hub'],
  ])('lets rules pass that let the controller pass: %s', async (_, host) => {
    const { commands, before, after } = await preflight({ controller: { host, port: 8443 } });
    expect(commands).toMatchObject([{ exitCode: 0, output: '' }]);
    expect(before).toMatchObject({ ok: true });
    expect(after).toMatchObject({ ok: true });
  });

  test.each([
    ['nothing goes out', rules('policy drop;', 'policy accept;'), '198.51.100.7'],
    ['nothing goes out', rules('policy drop;', 'policy accept;'), 'fd77::77'],
    ['nothing comes in', rules('policy accept;', 'policy drop;'), '198.51.100.7'],
    [
      'nothing new goes out',
      rules('policy drop; ct state established accept;', 'policy accept;'),
      '198.51.100.7',
    ],
    [
      'a connection ends after its start',
      rules('policy accept; ct state established drop;', 'policy accept;'),
      '198.51.100.7',
    ],
    ['another port only', rules('policy drop; tcp dport 443 accept;', 'policy accept;'), '198.51.100.7'],
    [
      'another interface only',
      rules('policy drop; oifname "lan.100" accept;', 'policy accept;'),
      '198.51.100.7',
    ],
    ['not even to loopback', rules('policy drop;', 'policy accept;'), '127.0.0.1'],
  ])('stops rules that lock out, and the machine never has them: %s', async (_, text, host) => {
    const before = await appliance.must('nft', '-j', 'list', 'ruleset');
    const outcome = await preflight({ rules: text, controller: { host, port: 8443 } });

    expect(outcome.commands).toMatchObject([{ exitCode: 0, output: '' }]);
    expect(outcome.before).toMatchObject({ ok: true });
    expect(outcome.after).toMatchObject({ ok: false, error: `${host} port 8443: no answer within 1000 ms` });
    expect(await appliance.must('nft', '-j', 'list', 'ruleset')).toBe(before);
  });

  test('stops a change that takes the way to the controller away', async () => {
    const { after } = await preflight({ commands: [['ip', 'route', 'del', 'default']] });
    expect(after).toMatchObject({ ok: false, error: expect.stringContaining('ENETUNREACH') });
    expect(await appliance.must('ip', 'route', 'show', 'default')).toContain('via 10.77.0.1');
  });

  test('has the interfaces and addresses of the machine, and no others', async () => {
    const { commands } = await preflight({
      commands: [
        ['ip', '-o', '-br', 'address'],
        ['ls', '/sys/class/net'],
        ['cat', '/etc/nftables.conf'],
      ],
    });
    const [addresses, devices, file] = commands.map(({ output }) => output);
    expect(addresses?.match(/\S+\/\d+/g)?.toSorted()).toEqual(
      (await appliance.must('ip', '-o', '-br', 'address')).match(/\S+\/\d+/g)?.toSorted(),
    );
    expect(devices).toMatch(/lan\.100\n[^]*wan0/);
    expect(file).toBe(good);
  });

  test('a candidate that sets kernel parameters changes those of the network only, and only in there', async () => {
    const swappiness = await appliance.must('cat', '/proc/sys/vm/swappiness');
    const { commands } = await preflight({
      commands: [
        ['sysctl', '-w', 'vm.swappiness=1'],
        ['sysctl', '-w', 'net.ipv4.ip_forward=1'],
      ],
    });
    expect(commands[0]?.output).toMatch(/permission denied|Read-only file system/);
    expect(commands[1]).toMatchObject({ exitCode: 0 });
    expect(await appliance.must('cat', '/proc/sys/net/ipv4/ip_forward')).toBe('0\n');
    expect(await appliance.must('cat', '/proc/sys/vm/swappiness')).toBe(swappiness);
  });

  test('a daemon started in it ends with it, and the machine has nothing of it left', async () => {
    const links = await appliance.must('ip', '-o', 'link');
    const { commands } = await preflight({
      commands: [['sh', '-c', 'setsid sleep 4712 >/dev/null 2>&1 </dev/null &']],
    });
    expect(commands).toMatchObject([{ exitCode: 0 }]);
    expect((await appliance.exec(['pgrep', '-f', 'sleep 4712'])).exitCode).toBe(1);
    expect((await appliance.exec(['pgrep', '-f', 'scratch-end'])).exitCode).toBe(1);
    expect(await appliance.must('ip', '-o', 'link')).toBe(links);
    expect(await appliance.must('ip', 'netns', 'list')).toBe('');
  });

  test('nothing of it outlives an agent that was killed', async () => {
    const agent = appliance.spawn([process.execPath, '--input-type=module-typescript', '-e', stayingProgram]);
    if (agent.stdout) await once(agent.stdout, 'data');
    const running = async () =>
      (await appliance.exec(['pgrep', '-f', 'scratch-end|sleep 4713'])).stdout.match(/\d+/g) ?? [];
    expect((await running()).length).toBeGreaterThan(2);

    agent.kill('SIGKILL');

    await until('all of it is gone', async () => (await running()).length === 0);
  });
});
