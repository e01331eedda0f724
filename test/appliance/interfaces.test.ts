import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notTested } from '../harness/not-tested.ts';
import { SyncLab } from './sync-lab.ts';

const main = '/etc/network/interfaces';
const path = '/etc/network/interfaces.d/lan';
const loopback = 'auto lo\niface lo inet loopback\n\nsource /etc/network/interfaces.d/*\n';
const lan = (...lines: string[]): string =>
  `auto eth1\niface eth1 inet static\n${lines.map((line) => `  ${line}\n`).join('')}`;

describe.skipIf(notTested('ifupdown', SyncLab.unavailable('ifup')))('network interfaces', () => {
  let lab: SyncLab;
  const addresses = (name = 'eth1') =>
    lab.shell(`ip -o -4 address show dev ${name} | grep -o 'inet [0-9./]*' || true`);

  beforeAll(async () => {
    lab = await SyncLab.boot({
      units: ['networking.service'],
      nics: [{ name: 'eth0' }, { name: 'eth1', addresses: [] }, { name: 'eth2', addresses: [] }],
      files: { [main]: loopback, [path]: lan('address 192.0.2.1/24') },
    });
  }, 120_000);
  afterAll(() => lab?.[Symbol.asyncDispose]());

  test('only what changed is taken down and up; what comes or goes does so', async () => {
    expect(await addresses()).toBe('inet 192.0.2.1/24\n');
    const eth2 = 'auto eth2\niface eth2 inet static\n  address 198.51.100.1/24\n  up touch /run/eth2-up\n';
    await lab.applied({ [path]: `${lan('address 192.0.2.9/24')}${eth2}` });
    expect([await addresses(), await addresses('eth2')]).toEqual([
      'inet 192.0.2.9/24\n',
      'inet 198.51.100.1/24\n',
    ]);

    await lab.shell('rm /run/eth2-up');
    await lab.applied({ [path]: `${lan('address 192.0.2.9/24', 'netmask 24', 'mtu 1400')}${eth2}` });
    expect(await lab.shell('cat /sys/class/net/eth1/mtu')).toBe('1400\n');
    expect((await lab.appliance.exec(['test', '-e', '/run/eth2-up'])).exitCode).not.toBe(0);

    await lab.applied({ [path]: lan('address 192.0.2.9/24') });
    expect(await addresses('eth2')).toBe('');
  }, 120_000);

  test.each([
    ['an address that is none', lan('address 300.1.1.1/24'), '300.1.1.1/24 is no address', true],
    ['a netmask that is none', lan('address 192.0.2.1', 'netmask 255.255.255.'), 'netmask', true],
    ['an address with a letter in it', lan('address 192.0.2.l/24'), '192.0.2.l', true],
    [
      'a method that does not exist',
      lan('address 192.0.2.1/24').replace('static', 'sttic'),
      'unknown or no method',
      false,
    ],
    [
      'a static interface without an address',
      lan('adress 192.0.2.1/24'),
      'missing required variable: address',
      false,
    ],
  ])(
    'refused: %s',
    async (_, text, told, validatorAccepts) => {
      expect(
        await lab.accepts(text, ['ifup', '--no-act', '--force', '--no-scripts', '-a', '-i', '{file}']),
      ).toBe(validatorAccepts);
      const outcome = await lab.sync({ [path]: text });
      expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_validate' });
      expect(outcome.message).toContain(told);
      expect(await addresses()).toBe('inet 192.0.2.9/24\n');
    },
    120_000,
  );

  test.each([
    ['a gateway that is in no network', lan('address 192.0.2.9/24', 'gateway 203.0.113.1')],
    ['a command that fails', lan('address 192.0.2.10/24', 'up false')],
  ])(
    'accepted by ifup --no-act, and rolled back: %s',
    async (_, text) => {
      expect(
        await lab.accepts(text, ['ifup', '--no-act', '--force', '--no-scripts', '-a', '-i', '{file}']),
      ).toBe(true);
      const outcome = await lab.sync({ [path]: text });
      expect(outcome).toMatchObject({ outcome: 'rolled_back' });
      expect(await addresses()).toBe('inet 192.0.2.9/24\n');
    },
    120_000,
  );

  test('an address that cuts the device off is refused in the scratch namespace', async () => {
    const uplink = 'auto eth0\niface eth0 inet static\n  address 10.66.0.2/24\n';
    const outcome = await lab.sync({ [path]: `${lan('address 192.0.2.9/24')}${uplink}` });
    expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_preflight' });
    expect(await addresses('eth0')).toContain('10.77.0.');
  }, 120_000);

  test('a rollback has the old addresses, and takes new interfaces down', async () => {
    const eth2 = 'auto eth2\niface eth2 inet static\n  address 198.51.100.1/24\n';
    const outcome = await lab.sync(
      { [path]: `${lan('address 192.0.2.77/24')}${eth2}` },
      { stopAfterApply: true },
    );
    expect(outcome).toMatchObject({ outcome: 'rolled_back' });
    expect([await addresses(), await addresses('eth2')]).toEqual(['inet 192.0.2.9/24\n', '']);
  }, 120_000);
});
