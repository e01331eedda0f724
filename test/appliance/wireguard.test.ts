import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lacks, notTested } from '../harness/not-tested.ts';
import { SyncLab } from './sync-lab.ts';

const path = '/etc/wireguard/wg0.conf';
const key = (): string => randomBytes(32).toString('base64');
const privateKey = key();
const peerKey = key();

interface Tunnel {
  address?: string;
  peer?: string;
  allowed?: string;
  more?: string[];
}

const tunnel = ({
  address = '10.200.0.1/24',
  peer = peerKey,
  allowed = '10.200.0.2/32',
  more = [],
}: Tunnel = {}): string =>
  [
    '[Interface]',
    `PrivateKey = ${privateKey}`,
    'ListenPort = 51820',
    `Address = ${address}`,
    '',
    '[Peer]',
    `PublicKey = ${peer}`,
    `AllowedIPs = ${allowed}`,
    ...more,
    '',
  ].join('\n');

const withoutTunnels = (): string | undefined =>
  lacks('wireguard-go') ?? (existsSync('/dev/net/tun') ? undefined : 'This machine has no /dev/net/tun');

describe.skipIf(notTested('WireGuard', SyncLab.unavailable('wg-quick')))('WireGuard', () => {
  let lab: SyncLab;

  beforeAll(async () => {
    lab = await SyncLab.boot();
  }, 120_000);
  afterAll(() => lab?.[Symbol.asyncDispose]());

  test.each([
    [
      'a key that is too long',
      tunnel({ peer: `${peerKey.slice(0, 4)}AAAA${peerKey.slice(4)}` }),
      'line 7: PublicKey: expected a key of 32 bytes',
    ],
    [
      'a prefix length that does not exist',
      tunnel({ address: '10.200.0.1/99' }),
      'line 4: Address: 10.200.0.1/99 is no address',
    ],
    [
      'an address that is none',
      tunnel({ allowed: '10.200.0.2/32, 300.1.1.1/32' }),
      'line 8: AllowedIPs: 300.1.1.1/32 is no address',
    ],
    [
      'an end point without a port',
      tunnel({ more: ['Endpoint = 192.0.2.1'] }),
      'line 9: Endpoint: expected HOST:PORT',
    ],
    [
      'a setting that does not exist',
      tunnel({ more: ['Keepalive = 25'] }),
      'line 9: Keepalive: not known in [Peer]',
    ],
  ])(
    'accepted by wg-quick strip, and refused: %s',
    async (_, text, told) => {
      expect(await lab.accepts(text, ['wg-quick', 'strip', '{file}'], '/tmp/candidate.conf')).toBe(true);
      const outcome = await lab.sync({ [path]: text });
      expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_validate' });
      expect(outcome.message).toContain(told);
      expect(JSON.stringify(outcome)).not.toContain(privateKey);
    },
    120_000,
  );

  describe.skipIf(notTested('WireGuard tunnels', withoutTunnels()))('tunnels in user space', () => {
    const peers = () => lab.shell('wg show wg0 dump');
    const addresses = () => lab.shell('ip -br address show dev wg0 | grep -o "[0-9.]*/24"');

    test('a tunnel comes up; keys and peers change without a restart, addresses with one', async () => {
      await lab.applied({ [path]: tunnel() });
      expect(await addresses()).toBe('10.200.0.1/24\n');
      const index = await lab.shell('cat /sys/class/net/wg0/ifindex');

      const rotated = key();
      await lab.applied({ [path]: tunnel({ peer: rotated }) });
      expect(await peers()).toContain(rotated);
      expect(await lab.shell('cat /sys/class/net/wg0/ifindex')).toBe(index);

      await lab.applied({ [path]: tunnel({ address: '10.201.0.1/24', allowed: '10.201.0.2/32' }) });
      expect(await addresses()).toBe('10.201.0.1/24\n');
      expect(await lab.shell('stat -c "%U %a" /etc/wireguard/wg0.conf')).toBe('root 600\n');
    }, 120_000);

    test('a rollback brings peers and addresses back, and takes new tunnels away', async () => {
      const before = await peers();
      const files = {
        [path]: tunnel({ address: '10.202.0.1/24' }),
        '/etc/wireguard/wg1.conf': tunnel({ address: '10.203.0.1/24' }).replace('51820', '51821'),
      };
      const outcome = await lab.sync(files, { stopAfterApply: true });
      expect(outcome, outcome.message).toMatchObject({ outcome: 'rolled_back' });
      expect(await peers()).toBe(before);
      expect(await addresses()).toBe('10.201.0.1/24\n');
      expect((await lab.appliance.exec(['ip', 'link', 'show', 'wg1'])).exitCode).not.toBe(0);
    }, 120_000);

    test('nothing secret is in the evidence', async () => {
      const outcome = await lab.applied({ [path]: tunnel({ more: [`PresharedKey = ${key()}`] }) });
      expect(JSON.stringify(outcome)).not.toContain(privateKey);
    }, 120_000);
  });
});
