import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Unit } from '../../shared/device-profile.ts';
import { viewOf } from '../../shared/view-pieces.ts';
import { loadProfiles } from './profiles.ts';

const profiles = loadProfiles();
const unitOf = (profile: string, name: string): Unit => {
  const unit = profiles.get(profile)?.units.find((one) => one.name === name);
  if (!unit) throw new Error(`${profile} has no unit ${name}`);
  return unit;
};
const token = (value: string): string =>
  `<secret:${createHmac('sha256', 'of this test').update(value).digest('hex').slice(0, 8)}>`;
const pem = (body: string): string => `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`;

/** Kinds of secrets: what people choose, and what machines make. */
const kinds: Record<string, () => string> = {
  'chosen by a person': () => `correct-horse-${randomBytes(2).readUInt16BE().toString()}`,
  'base64 of 32 bytes': () => randomBytes(32).toString('base64'),
  hexadecimal: () => randomBytes(20).toString('hex'),
};

/** Where secrets stand in each kind of file, as its service writes them. */
const places: Record<string, { unit: Unit; text: (secret: string) => string }> = {
  'wg0.conf, PrivateKey': {
    unit: unitOf('debian', 'wireguard'),
    text: (secret) => `[Interface]\nPrivateKey = ${secret}\nListenPort = 51820\n`,
  },
  'wg0.conf, PresharedKey, commented out': {
    unit: unitOf('debian', 'wireguard'),
    text: (secret) => `[Peer]\n# PresharedKey=${secret}\n`,
  },
  'frr.conf, password': { unit: unitOf('debian', 'frr'), text: (secret) => `password ${secret}\n` },
  'frr.conf, enable password': {
    unit: unitOf('debian', 'frr'),
    text: (secret) => `enable password 8 ${secret}\n`,
  },
  'frr.conf, neighbour': {
    unit: unitOf('debian', 'frr'),
    text: (secret) => `router bgp 65000\n neighbor 192.0.2.1 password ${secret}\n`,
  },
  'frr.conf, OSPF': {
    unit: unitOf('debian', 'frr'),
    text: (secret) => `interface eth0\n ip ospf message-digest-key 1 md5 ${secret}\n`,
  },
  'frr.conf, OSPF simple': {
    unit: unitOf('debian', 'frr'),
    text: (secret) => ` ip ospf authentication-key ${secret}\n`,
  },
  'frr.conf, key chain': {
    unit: unitOf('debian', 'frr'),
    text: (secret) => `key chain rip\n key 1\n  key-string ${secret}\n`,
  },
  'frr.conf, IS-IS': {
    unit: unitOf('debian', 'frr'),
    text: (secret) => ` area-password md5 ${secret}\n isis password clear ${secret}\n`,
  },
  'frr.conf, NHRP': {
    unit: unitOf('debian', 'frr'),
    text: (secret) => ` ip nhrp authentication ${secret}\n`,
  },
  'interfaces, wpa-psk': {
    unit: unitOf('debian', 'interfaces'),
    text: (secret) => `iface wlan0 inet dhcp\n  wpa-ssid lab\n  wpa-psk ${secret}\n`,
  },
  'interfaces, wireless-key': {
    unit: unitOf('debian', 'interfaces'),
    text: (secret) => `iface wlan0 inet dhcp\n  wireless-key1 ${secret}\n`,
  },
  'unbound.conf, redis': {
    unit: unitOf('debian', 'unbound'),
    text: (secret) => `cachedb:\n  redis-server-password: "${secret}"\n`,
  },
  'unbound.conf, URL': {
    unit: unitOf('debian', 'unbound'),
    text: (secret) => `rpz:\n  url: "https://feed:${encodeURIComponent(secret)}@rpz.example/list"\n`,
  },
  'dnsmasq.conf, a comment': {
    unit: unitOf('debian', 'dnsmasq'),
    text: (secret) => `# password: ${secret}\n`,
  },
  'nftables.conf, a comment': {
    unit: unitOf('debian', 'nftables'),
    text: (secret) => `# api-token=${secret}\n`,
  },
  'sshd_config, a private key by mistake': {
    unit: unitOf('debian', 'sshd'),
    text: (secret) => `Port 22\n${pem(secret)}`,
  },
  'hosts, a private key by mistake': { unit: unitOf('debian', 'files'), text: pem },
  'config.boot, password': {
    unit: unitOf('vyos', 'config'),
    text: (secret) =>
      `system {\n    login {\n        user vyos {\n            authentication {\n                encrypted-password "${secret}"\n`,
  },
  'config.boot, pre-shared secret': {
    unit: unitOf('vyos', 'config'),
    text: (secret) =>
      `vpn {\n    ipsec {\n        authentication {\n            psk lab {\n                secret "${secret}"\n`,
  },
  'VyOS commands, WireGuard': {
    unit: unitOf('vyos', 'config'),
    text: (secret) => `set interfaces wireguard wg0 private-key '${secret}'\n`,
  },
  'VyOS commands, SNMP': {
    unit: unitOf('vyos', 'config'),
    text: (secret) => `set service snmp community ${secret} authorization ro\n`,
  },
  'config.xml, password': {
    unit: unitOf('opnsense', 'config'),
    text: (secret) => `<opnsense>\n  <user>\n    <password>${secret}</password>\n  </user>\n</opnsense>\n`,
  },
  'config.xml, in one line': {
    unit: unitOf('opnsense', 'config'),
    text: (secret) =>
      `<a><ipsecpsk>${secret}</ipsecpsk><b>1</b><prv>${secret}</prv><privkey>${secret}</privkey></a>\n`,
  },
  'config.xml, a key in base64': {
    unit: unitOf('opnsense', 'config'),
    text: (secret) => `<prv>${Buffer.from(pem(secret)).toString('base64')}</prv>\n`,
  },
};

const shown = (unit: Unit, text: string): string => {
  const view = viewOf(text, unit, token);
  return 'text' in view ? view.text : `withheld: ${view.withheld}`;
};

describe.each(Object.entries(places))('%s', (_, { unit, text }) => {
  test.each(Object.entries(kinds))('a secret %s does not come through; a rotation shows', (__, make) => {
    for (let round = 0; round < 20; round += 1) {
      const [secret, rotated] = [make(), make()];
      const [before, after] = [shown(unit, text(secret)), shown(unit, text(rotated))];
      expect(before).not.toContain(secret);
      expect(before).not.toContain(secret.slice(0, -4));
      expect(before).not.toContain('withheld');
      expect(before).toMatch(/<secret:[0-9a-f]{8}>/);
      expect(before).toBe(shown(unit, text(secret)));
      if (rotated !== secret) expect(after).not.toBe(before);
    }
  });
});

test('keys in odd places of any file withhold it', () => {
  const passing = [...profiles.values()]
    .flatMap(({ units }) => units)
    .flatMap((unit) =>
      Array.from({ length: 100 }, () => randomBytes(32).toString('base64')).filter((key) =>
        shown(unit, `first line\nsomething ${key} else\n`).includes(key),
      ),
    );
  expect(passing.length).toBeLessThanOrEqual(3); // of 1,000
});

test('public keys stay readable', () => {
  const key = randomBytes(32).toString('base64');
  expect(shown(unitOf('debian', 'wireguard'), `[Peer]\nPublicKey = ${key}\n`)).toContain(key);
  expect(
    shown(unitOf('vyos', 'config'), `set interfaces wireguard wg0 peer a public-key '${key}'\n`),
  ).toContain(key);
});

test('what changes by itself makes no difference', () => {
  const frr = unitOf('debian', 'frr');
  const running = (version: string) =>
    `Building configuration...\n\nCurrent configuration:\n!\nfrr version ${version}\nhostname a\n`;
  expect(shown(frr, running('8.4.4'))).toBe(shown(frr, running('9.0')));
  const nft = unitOf('debian', 'nftables');
  const counted = (count: number) =>
    `counter packets ${count} bytes ${count * 60} drop # handle ${count}\nelements = { 192.0.2.1 expires ${count}s }\n`;
  expect(shown(nft, counted(1))).toBe(shown(nft, counted(2)));
  const xml = unitOf('opnsense', 'config');
  const revised = (time: string) =>
    `<opnsense>\n  <revision>\n    <time>${time}</time>\n  </revision>\n  <a persisted_at="${time}">1</a>\n</opnsense>\n`;
  expect(shown(xml, revised('1700000000.12'))).toBe(shown(xml, revised('1800000000.5')));
});
