import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notTested } from '../harness/not-tested.ts';
import { SyncLab } from './sync-lab.ts';

const conf = '/etc/frr/frr.conf';
const daemons = '/etc/frr/daemons';
const routing = (...lines: string[]): string =>
  `${['hostname appliance', 'log syslog informational', ...lines].join('\n')}\n`;
const started = (...names: string[]): string =>
  `${names.map((name) => `${name}=yes\n`).join('')}vtysh_enable=yes\nzebra_options="  -A 127.0.0.1 -s 90000000"\nbgpd_options="   -A 127.0.0.1"\nstaticd_options="-A 127.0.0.1"\n`;
const ownNeighbour = ['router bgp 65000', ' neighbor 10.77.0.2 remote-as 65001'];

describe.skipIf(notTested('FRR', SyncLab.unavailable('vtysh')))('FRR', () => {
  let lab: SyncLab;
  const running = () => lab.shell('vtysh -c "show running-config"');
  const accepted = (text: string) => lab.accepts(text, ['vtysh', '-C', '-f', '{file}']);

  beforeAll(async () => {
    lab = await SyncLab.boot({ units: ['frr.service'] });
    await lab.applied({ [conf]: routing('ip route 10.99.0.0/16 10.77.0.1'), [daemons]: started() });
  }, 120_000);
  afterAll(() => lab?.[Symbol.asyncDispose]());

  test('a good configuration is applied without a restart, and a restart comes up with it', async () => {
    const pid = 'systemctl show --value -p MainPID frr';
    const before = await lab.shell(pid);
    await lab.applied({
      [conf]: routing('ip route 10.99.0.0/16 10.77.0.1', 'ip route 10.98.0.0/16 10.77.0.1'),
    });
    expect(await lab.shell(pid)).toBe(before);
    expect(await running()).toContain('ip route 10.98.0.0/16 10.77.0.1');
    expect(await lab.shell('stat -c "%U:%G %a" /etc/frr/frr.conf')).toBe('frr:frr 640\n');
  }, 120_000);

  test('an unknown command is refused', async () => {
    const outcome = await lab.sync({ [conf]: routing('ipp route 10.99.0.0/16 10.77.0.1') });
    expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_validate' });
    expect(outcome.message).toContain('Unknown command');
  }, 120_000);

  test('lines for a daemon that does not run are accepted and lost: rolled back', async () => {
    const text = routing('ip route 10.97.0.0/16 10.77.0.1', ...ownNeighbour);
    expect(await accepted(text)).toBe(true);
    const before = await running();
    const outcome = await lab.sync({ [conf]: text });
    expect(outcome).toMatchObject({ outcome: 'rolled_back' });
    expect(outcome.message).toContain('in-sync');
    expect(await running()).toBe(before);
  }, 120_000);

  test('what only the daemon refuses is applied in part, and rolled back as a whole', async () => {
    await lab.applied({ [daemons]: started('bgpd') });
    expect(await lab.shell('vtysh -c "show daemons"')).toContain('bgpd');
    const text = routing('ip route 10.96.0.0/16 10.77.0.1', ...ownNeighbour);
    expect(await accepted(text)).toBe(true);
    const before = await running();
    const outcome = await lab.sync({ [conf]: text });
    expect(outcome).toMatchObject({ outcome: 'rolled_back' });
    expect(outcome.message).toContain('Can not configure the local system as neighbor');
    expect(await running()).toBe(before);
  }, 120_000);

  test('a rollback of other daemons brings the old ones back', async () => {
    const before = await lab.shell('vtysh -c "show daemons"');
    const outcome = await lab.sync({ [daemons]: started('ospfd') }, { stopAfterApply: true });
    expect(outcome).toMatchObject({ outcome: 'rolled_back' });
    expect(await lab.shell('vtysh -c "show daemons"')).toBe(before);
    expect(await running()).toContain('ip route 10.98.0.0/16 10.77.0.1');
  }, 120_000);

  test.each(['bgpd=yes; touch /made', 'bgpd=$(touch /made)', 'bgpd="`touch /made`"', 'touch /made'])(
    'the list of daemons is read by a shell: %s is refused',
    async (line) => {
      const outcome = await lab.sync({ [daemons]: `${started()}${line}\n` });
      expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_validate' });
      expect((await lab.appliance.exec(['test', '-e', '/made'])).exitCode).not.toBe(0);
    },
    120_000,
  );
});
