import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notTested } from '../harness/not-tested.ts';
import { SyncLab } from './sync-lab.ts';

const path = '/etc/nftables.conf';
const chains = (...lines: string[]): string => `table inet filter {\n  ${lines.join('\n  ')}\n}\n`;
const ruleset = (...lines: string[]): string => `flush ruleset\n${chains(...lines)}`;
const output = (rules: string): string => `chain output { type filter hook output priority 0; ${rules} }`;
const input = (rules: string): string => `chain input { type filter hook input priority 0; ${rules} }`;
const icmp = 'meta l4proto { icmp, icmpv6 } accept;';

const firewall = ruleset(
  'set banned { type ipv4_addr; flags timeout; }',
  input(
    `policy drop; iif lo accept; ct state established accept; ${icmp} iifname "eth0" tcp dport 22 accept;`,
  ),
);

describe.skipIf(notTested('nftables', SyncLab.unavailable('nft')))('nftables', () => {
  let lab: SyncLab;
  const running = () => lab.shell('nft list ruleset');
  const accepted = (text: string) => lab.accepts(text, ['nft', '-c', '-f', '{file}']);

  beforeAll(async () => {
    const units = ['nftables.service'];
    lab = await SyncLab.boot({ units, files: { [path]: ruleset(output('policy accept;')) } });
  }, 120_000);
  afterAll(() => lab?.[Symbol.asyncDispose]());

  test('a good ruleset is applied, also with files that it includes', async () => {
    await lab.applied({ [path]: firewall });
    expect(await running()).toContain('tcp dport 22 accept');

    const more = '/etc/nftables.d/nat.nft';
    const nat = 'table ip nat {\n  chain post { type nat hook postrouting priority 100; }\n}\n';
    await lab.applied({ [path]: `${firewall}include "/etc/nftables.d/*.nft"\n`, [more]: nat });
    expect(await running()).toContain('table ip nat');
    await lab.shell('systemctl restart nftables');
    expect(await running()).toContain('tcp dport 22 accept');
  }, 120_000);

  test.each([
    [
      'new connections out are dropped, established ones go on',
      output('policy drop; oif lo accept; ct state established accept;'),
    ],
    ['answers are dropped', input('policy drop; iif lo accept;')],
    ['the controller’s port is refused', output('tcp dport 7443 reject;')],
    ['only small packets get out', output('meta length > 1000 drop;')],
    ['only small packets get in', input('meta length > 1000 drop;')],
  ])(
    'a ruleset that locks out is refused before the host is touched: %s',
    async (_, rules) => {
      const text = ruleset(rules);
      const before = await running();
      expect(await accepted(text)).toBe(true);

      const outcome = await lab.sync({ [path]: text });
      expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_preflight' });
      expect(outcome.message).toContain('a new connection to the controller fails');
      expect(await running()).toBe(before);
      expect(await lab.appliance.read(path)).not.toBe(text);
    },
    120_000,
  );

  test.each([
    [
      'without a header, loading it twice doubles every rule',
      chains(output('policy accept;')),
      'begins-with-flush',
      true,
    ],
    [
      'iifname with a name that does not exist',
      ruleset(input('iifname { "eth0", "etth1" } accept;')),
      'etth1',
      true,
    ],
    ['oifname without quotes', ruleset(output('oifname etth1 accept;')), 'etth1', true],
    ['iif with a name that does not exist', ruleset(input('iif "etth1" accept;')), 'syntax', false],
    ['a jump to a chain that does not exist', ruleset(input('jump nowhere;')), 'syntax', false],
  ])(
    'refused by the checks: %s',
    async (_, text, told, validatorAccepts) => {
      expect(await accepted(text)).toBe(validatorAccepts);
      const outcome = await lab.sync({ [path]: text });
      expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_validate' });
      expect(outcome.message).toContain(told);
    },
    120_000,
  );

  test('what sets have filled themselves with stays where the set is the same; what the files named goes with them', async () => {
    const filling = (banned: string, ...lines: string[]): string =>
      ruleset(
        `set banned { type ipv4_addr; flags timeout; ${banned} }`,
        'set seen { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 1h; }',
        'set flood { type ipv4_addr; flags dynamic; }',
        'set nets { type ipv4_addr; flags interval,timeout; auto-merge; }',
        'map verdicts { type ipv4_addr : verdict; flags dynamic,timeout; timeout 1h; }',
        output(
          'udp dport 99 update @seen { ip daddr . udp dport counter } update @flood { ip daddr limit rate over 5/second };',
        ),
        ...lines,
      );
    const other = 'set other { type ipv4_addr; flags timeout; }';
    await lab.applied({ [path]: filling('elements = { 192.0.2.90, 192.0.2.91 timeout 1h }', other) });
    await lab.shell(`nft 'add element inet filter banned { 192.0.2.66 timeout 1h comment "a, b : c", 192.0.2.67 }
add element inet filter nets { 10.9.0.0/16 timeout 1d, 192.0.2.1-192.0.2.9 timeout 1h }
add element inet filter verdicts { 192.0.2.77 timeout 10m : drop }
add element inet filter other { 192.0.2.88 timeout 1h }'`);
    await lab.shell("bash -c 'echo x >/dev/udp/10.77.0.1/99'");

    const otherType = 'set other { type ipv6_addr; flags timeout; }';
    const outcome = await lab.applied({ [path]: filling('elements = { 192.0.2.90 }', otherType) });

    const now = await running();
    for (const there of [
      '192.0.2.66 timeout 1h expires 59m',
      'comment "a, b : c"',
      '192.0.2.67',
      '192.0.2.90',
      '10.9.0.0/16 timeout 1d expires 23h59m',
      '192.0.2.1-192.0.2.9',
      '192.0.2.77 timeout 10m expires 9m',
      '10.77.0.1 . 99 counter packets 1 ',
      '10.77.0.1 limit rate over 5/second',
    ]) {
      expect(now).toContain(there);
    }
    expect(now).not.toMatch(/192\.0\.2\.(91|88)/);
    const message = outcome.result?.steps.find(({ step }) => step === 'apply')?.message;
    expect(message).toContain('7 elements that sets had filled themselves with are kept');
  }, 120_000);

  test('a rollback brings back the running rules, also what is in no file', async () => {
    await lab.applied({ [path]: firewall });
    await lab.shell(
      'nft add element inet filter banned { 192.0.2.66 timeout 1h }; nft add rule inet filter input tcp dport 99 accept',
    );
    const before = await lab.shell('nft -s list ruleset');
    expect(before).toContain('192.0.2.66');

    const outcome = await lab.sync({ [path]: ruleset(output('policy accept;')) }, { stopAfterApply: true });
    expect(outcome).toMatchObject({ outcome: 'rolled_back' });
    expect(await lab.shell('nft -s list ruleset')).toBe(before);
    expect(await lab.appliance.read(path)).toBe(firewall);
  }, 120_000);
});
