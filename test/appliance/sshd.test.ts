import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notTested } from '../harness/not-tested.ts';
import { SyncLab } from './sync-lab.ts';

const path = '/etc/ssh/sshd_config.d/lab.conf';
const conf = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');
const good = conf(
  'ListenAddress 10.77.0.2',
  'ListenAddress 127.0.0.1',
  'AllowUsers root',
  'PermitRootLogin yes',
);

describe.skipIf(notTested('sshd', SyncLab.unavailable('ssh-keyscan')))('sshd', () => {
  let lab: SyncLab;
  const banner = (port: number) =>
    lab.shell(`ssh-keyscan -T 2 -p ${port} 10.77.0.2 2>&1 | grep -c SSH-2.0 || true`);

  beforeAll(async () => {
    lab = await SyncLab.boot({ units: ['ssh.service'] });
    await lab.applied({ [path]: good });
  }, 120_000);
  afterAll(() => lab?.[Symbol.asyncDispose]());

  test('another port answers new connections, and a rollback has the old one answer', async () => {
    expect(Number(await banner(22))).toBeGreaterThan(0);
    await lab.applied({ [path]: `Port 2222\n${good}` });
    expect(Number(await banner(2222))).toBeGreaterThan(0);
    const outcome = await lab.sync({ [path]: `Port 2223\n${good}` }, { stopAfterApply: true });
    expect(outcome).toMatchObject({ outcome: 'rolled_back' });
    expect([Number(await banner(2222)) > 0, Number(await banner(2223))]).toEqual([true, 0]);
  }, 120_000);

  test.each([
    [
      'an address that the host does not have',
      conf('ListenAddress 10.99.0.1', 'ListenAddress 10.77.0.2'),
      'is no address of this host',
    ],
    ['nobody but an account without a shell may enter', conf('AllowUsers nobody'), 'no account with a shell'],
    ['the groups of nobody', conf('AllowGroups nogroup'), 'no account with a shell'],
    ['everybody is denied', conf('DenyUsers *'), 'no account with a shell'],
    [
      'no method of authentication',
      conf('PubkeyAuthentication no', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no'),
      'no method of authentication',
    ],
  ])(
    'accepted by sshd -t, and refused: %s',
    async (_, text, told) => {
      expect(await lab.accepts(text, ['/usr/sbin/sshd', '-t', '-f', '{file}'])).toBe(true);
      const outcome = await lab.sync({ [path]: text });
      expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_validate' });
      expect(outcome.message).toContain(told);
      expect(Number(await banner(2222))).toBeGreaterThan(0);
    },
    120_000,
  );

  test('an unknown option is refused', async () => {
    const outcome = await lab.sync({ [path]: conf('Banana yes') });
    expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_validate' });
    expect(outcome.message).toContain('Bad configuration option: Banana');
  }, 120_000);

  test('a port that somebody else has is seen after the reload', async () => {
    const other = lab.appliance.spawn([
      process.execPath,
      '-e',
      'net.createServer().listen(2299, () => console.log(1))',
    ]);
    await once(other.stdout ?? other, 'data');
    const outcome = await lab.sync({ [path]: `Port 2299\n${good}` });
    expect(outcome).toMatchObject({ outcome: 'rolled_back' });
    expect(Number(await banner(2222))).toBeGreaterThan(0);
  }, 120_000);
});
