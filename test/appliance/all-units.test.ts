import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lacks, notTested } from '../harness/not-tested.ts';
import { until } from '../harness/until.ts';
import { SyncLab } from './sync-lab.ts';

const services = ['networking', 'ssh', 'unbound', 'dnsmasq', 'frr', 'nftables'];
const tunnels = lacks('wireguard-go') === undefined && existsSync('/dev/net/tun');
const key = (): string => randomBytes(32).toString('base64');
const peerKey = key();

/** A whole configuration: services listen on what the new interfaces and tunnels bring. */
const desired = {
  '/etc/motd': 'managed\n',
  '/etc/network/interfaces.d/lan': 'auto eth1\niface eth1 inet static\n  address 192.0.2.1/24\n',
  '/etc/ssh/sshd_config.d/lab.conf': 'ListenAddress 192.0.2.1\nListenAddress 127.0.0.1\n',
  '/etc/unbound/unbound.conf.d/lan.conf': `server:\n  interface: 192.0.2.1\n${tunnels ? '  interface: 10.200.0.1\n  ip-freebind: yes\n' : ''}  access-control: 192.0.2.0/24 allow\n  access-control: 10.200.0.0/24 allow\n  local-data: "a.lab. A 192.0.2.7"\n`,
  '/etc/dnsmasq.d/lan.conf':
    'listen-address=127.0.0.1,10.77.0.2\nbind-interfaces\naddress=/b.lab/192.0.2.8\n',
  '/etc/frr/frr.conf': 'hostname appliance\nlog syslog informational\nip route 10.99.0.0/16 192.0.2.254\n',
  '/etc/nftables.conf':
    'flush ruleset\ntable inet filter {\n  chain input {\n    type filter hook input priority 0; policy drop;\n    iif lo accept\n    iifname "eth1" accept\n    ct state established accept\n    meta l4proto { icmp, icmpv6 } accept\n  }\n}\n',
  ...(tunnels
    ? {
        '/etc/wireguard/wg0.conf': `[Interface]\nPrivateKey = ${key()}\nListenPort = 51820\nAddress = 10.200.0.1/24\n\n[Peer]\nPublicKey = ${peerKey}\nAllowedIPs = 10.200.0.2/32\n`,
      }
    : {}),
};

const withoutServices = SyncLab.unavailable(
  'nft',
  'vtysh',
  'unbound',
  'dnsmasq',
  'dig',
  'ifup',
  'ssh-keyscan',
);

describe.skipIf(notTested('all units together', withoutServices))('all units together', () => {
  let lab: SyncLab;

  beforeAll(async () => {
    lab = await SyncLab.boot({
      units: services.map((name) => `${name}.service`),
      nics: [
        { name: 'eth0', addresses: ['10.77.0.2/24'] },
        { name: 'eth1', addresses: [] },
      ],
      files: {
        '/etc/network/interfaces': 'auto lo\niface lo inet loopback\n\nsource /etc/network/interfaces.d/*\n',
        '/etc/default/unbound': 'ROOT_TRUST_ANCHOR_UPDATE=false\n',
        '/etc/unbound/unbound.conf.d/root-auto-trust-anchor-file.conf': '',
        '/etc/unbound/unbound.conf.d/lan.conf': 'server:\n  interface: 127.0.0.2\n',
        '/etc/dnsmasq.d/lan.conf': 'listen-address=127.0.0.1\nbind-interfaces\n',
        '/etc/nftables.conf': 'flush ruleset\n',
      },
    });
  }, 120_000);
  afterAll(() => lab?.[Symbol.asyncDispose]());

  /** How each service answers, in words that are the same at each reading. */
  const seen = async (): Promise<Record<string, string>> => {
    const shell = (text: string) => lab.shell(`${text} || true`);
    return {
      motd: await shell('cat /etc/motd'),
      interfaces: await shell("ip -o -4 address show scope global | awk '{print $2, $4}' | sort"),
      sshd: await shell('ssh-keyscan -T 2 -t ed25519 192.0.2.1 2>/dev/null | grep -c ssh-ed25519'),
      unbound: await shell('dig +short +time=1 +tries=1 @192.0.2.1 a.lab | grep -v "^;"'),
      tunnel: await shell('dig +short +time=1 +tries=1 @10.200.0.1 a.lab | grep -v "^;"'),
      dnsmasq: await shell('dig +short +time=1 +tries=1 @10.77.0.2 b.lab | grep -v "^;"'),
      frr: await shell('vtysh -c "show running-config" | grep "ip route"'),
      nftables: await shell('nft -s list ruleset'),
      wireguard: await shell('wg show all peers'),
    };
  };

  test('a transaction over everything that is stopped at its end leaves everything as it was', async () => {
    const before = await seen();
    const outcome = await lab.sync(desired, { stopAfterApply: true });
    expect(outcome, outcome.log.join('\n')).toMatchObject({ outcome: 'rolled_back' });
    expect(await seen()).toEqual(before);
  }, 120_000);

  test('what was confirmed is what a cold start comes up with', async () => {
    await lab.applied(desired);
    const confirmed = await seen();
    expect(confirmed).toMatchObject({
      motd: 'managed\n',
      sshd: '1\n',
      unbound: '192.0.2.7\n',
      dnsmasq: '192.0.2.8\n',
      frr: 'ip route 10.99.0.0/16 192.0.2.254\n',
      tunnel: tunnels ? '192.0.2.7\n' : '',
      wireguard: tunnels ? `wg0\t${peerKey}\n` : '',
    });
    // Whether a tunnel starts at boot is not for its configuration to say. systemd starts resolvers before it: hence `ip-freebind`.
    if (tunnels) await lab.shell('systemctl enable wg-quick@wg0.service');

    await lab.appliance.reboot();
    const again = await until(
      'everything came up',
      async () => {
        const now = await seen();
        return JSON.stringify(now) === JSON.stringify(confirmed) ? now : undefined;
      },
      { last: () => lab.appliance.console().slice(-2000), everyMs: 500 },
    );
    expect(again).toEqual(confirmed);
    for (const name of services) {
      expect(await lab.shell(`systemctl is-active ${name}.service`), name).toBe('active\n');
    }
  }, 180_000);
});
