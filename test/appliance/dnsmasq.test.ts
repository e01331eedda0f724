import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notTested } from '../harness/not-tested.ts';
import { SyncLab } from './sync-lab.ts';

const path = '/etc/dnsmasq.d/lan.conf';
const conf = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');
const lan = ['listen-address=127.0.0.1,10.77.0.2', 'bind-interfaces'];
const named = (name: string): string => `address=/${name}.lab/192.0.2.7`;

describe.skipIf(notTested('dnsmasq', SyncLab.unavailable('dnsmasq', 'dig')))('dnsmasq', () => {
  let lab: SyncLab;
  const asked = (name: string) => lab.shell(`dig +short +time=1 +tries=1 @10.77.0.2 ${name}.lab || true`);

  beforeAll(async () => {
    lab = await SyncLab.boot({ units: ['dnsmasq.service'] });
    await lab.applied({ [path]: conf(...lan, named('a')) });
  }, 120_000);
  afterAll(() => lab?.[Symbol.asyncDispose]());

  test('a change is really read, and DHCP has its socket', async () => {
    expect(await asked('a')).toBe('192.0.2.7\n');
    await lab.applied({ [path]: conf(...lan, named('b'), 'dhcp-range=10.77.0.100,10.77.0.150,12h') });
    expect(await asked('b')).toBe('192.0.2.7\n');
    expect(await lab.shell("ss -Hlnu 'sport = :67'")).toContain(':67');
  }, 120_000);

  test.each([
    [
      'an address that the host does not have',
      conf('listen-address=10.99.0.1'),
      'is no address of this host',
    ],
    ['a network interface that does not exist', conf('interface=eth9'), 'no interface eth9'],
    [
      'a DHCP range that ends before it begins',
      conf('dhcp-range=10.77.0.150,10.77.0.100,12h'),
      'comes before',
    ],
    [
      'a DHCP range in a network that nobody is in',
      conf('dhcp-range=10.88.0.100,10.88.0.150,12h'),
      'no interface of this host is in that network',
    ],
    [
      'a file of servers that is missing',
      conf('servers-file=/etc/missing'),
      '/etc/missing, which does not exist',
    ],
    [
      'a file of hosts that is missing',
      conf('addn-hosts=/etc/missing'),
      '/etc/missing, which does not exist',
    ],
  ])(
    'accepted by dnsmasq --test, and refused: %s',
    async (_, text, told) => {
      expect(await lab.accepts(text, ['dnsmasq', '--test', '-C', '{file}'])).toBe(true);
      const outcome = await lab.sync({ [path]: text });
      expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_validate' });
      expect(outcome.message).toContain(told);
      expect(await asked('b')).toBe('192.0.2.7\n');
    },
    120_000,
  );

  test('an unknown option in a file of the folder is refused', async () => {
    const outcome = await lab.sync({ [path]: conf('banana=1') });
    expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_validate' });
    expect(outcome.message).toContain('bad option at line 1');
  }, 120_000);

  test('what only the start shows is seen in the scratch namespace', async () => {
    const text = conf(...lan, 'dhcp-leasefile=/nowhere/leases', 'dhcp-range=10.77.0.100,10.77.0.150,12h');
    expect(await lab.accepts(text, ['dnsmasq', '--test', '-C', '{file}'])).toBe(true);
    const outcome = await lab.sync({ [path]: text });
    expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_preflight' });
    expect(outcome.message).toContain('starts');
  }, 120_000);

  test('a rollback answers as before', async () => {
    const outcome = await lab.sync(
      { [path]: conf(...lan, 'address=/b.lab/192.0.2.8') },
      { stopAfterApply: true },
    );
    expect(outcome).toMatchObject({ outcome: 'rolled_back' });
    expect(await asked('b')).toBe('192.0.2.7\n');
  }, 120_000);
});
