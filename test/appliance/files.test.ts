import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notTested } from '../harness/not-tested.ts';
import { SyncLab } from './sync-lab.ts';

describe.skipIf(notTested('plain files', SyncLab.unavailable()))('files', () => {
  let lab: SyncLab;

  beforeAll(async () => {
    lab = await SyncLab.boot();
  }, 120_000);
  afterAll(() => lab?.[Symbol.asyncDispose]());

  test('files are written, and removed when they are named no more', async () => {
    await lab.applied({
      '/etc/motd': 'hello\n',
      '/etc/hosts': '127.0.0.1 localhost\n192.0.2.1 other # comment\n::1 localhost\n',
    });
    expect(await lab.appliance.read('/etc/motd')).toBe('hello\n');
    expect(await lab.shell('getent hosts other')).toContain('192.0.2.1');
  }, 120_000);

  test('a line of hosts without an address is refused', async () => {
    const outcome = await lab.sync({ '/etc/hosts': '127.0.0.1 localhost\n300.1.1.1 other\n' });
    expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_validate' });
    expect(outcome.message).toContain('300.1.1.1 is no address');
  }, 120_000);

  test('units whose service is not on the device are skipped, and say so', async () => {
    await lab.shell(
      'mount --bind /dev/null /usr/sbin/unbound; mount --bind /dev/null /usr/sbin/unbound-checkconf; mount --bind /dev/null /usr/sbin/unbound-control',
    );
    const outcome = await lab.applied({ '/etc/unbound/unbound.conf': 'server:\n' });
    const told = outcome.result?.steps.flatMap(({ commands }) => commands.map(({ output }) => output)) ?? [];
    expect(told).toContain('skipped: the device has no program unbound');
    expect(told).toContain('skipped: the device has no program unbound-checkconf');
  }, 120_000);
});
