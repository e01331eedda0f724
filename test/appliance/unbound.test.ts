import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notTested } from '../harness/not-tested.ts';
import { SyncLab, unboundWithoutNetwork } from './sync-lab.ts';

const path = '/etc/unbound/unbound.conf.d/lan.conf';
const server = (...lines: string[]): string => `server:\n${lines.map((line) => `  ${line}\n`).join('')}`;
const lan = ['interface: 10.77.0.2', 'interface: 127.0.0.1', 'access-control: 10.77.0.0/24 allow'];
const named = (name: string): string => `local-data: "${name}.lab. A 192.0.2.7"`;

describe.skipIf(notTested('unbound', SyncLab.unavailable('unbound', 'dig')))('unbound', () => {
  let lab: SyncLab;
  const asked = (name: string) => lab.shell(`dig +short +time=1 +tries=1 @10.77.0.2 ${name}.lab || true`);
  const pid = () => lab.shell('systemctl show --value -p MainPID unbound');

  beforeAll(async () => {
    lab = await SyncLab.boot({ units: ['unbound.service'], files: unboundWithoutNetwork });
    await lab.applied({ [path]: server(...lan, named('a')) });
    const other = lab.appliance.spawn([
      process.execPath,
      '-e',
      'net.createServer().listen(7053, () => console.log(1))',
    ]);
    await once(other.stdout ?? other, 'data');
  }, 120_000);
  afterAll(() => lab?.[Symbol.asyncDispose]());

  test('a change is read without a restart; another listen address needs one', async () => {
    expect(await asked('a')).toBe('192.0.2.7\n');
    const before = await pid();
    await lab.applied({ [path]: server(...lan, named('a'), named('b')) });
    expect([await asked('b'), await pid()]).toEqual(['192.0.2.7\n', before]);

    await lab.applied({
      [path]: server(...lan, 'interface: fd77::2', 'access-control: fd77::/64 allow', named('b')),
    });
    expect(await pid()).not.toBe(before);
    expect(await lab.shell('dig +short @fd77::2 b.lab')).toBe('192.0.2.7\n');
  }, 120_000);

  test('a syntax error is refused, and the daemon goes on', async () => {
    const before = await pid();
    const outcome = await lab.sync({ [path]: server(...lan, 'interfce: 10.77.0.2') });
    expect(outcome).toMatchObject({ outcome: 'rejected', code: 'rejected_validate' });
    expect(await pid()).toBe(before);
    expect(await asked('b')).toBe('192.0.2.7\n');
  }, 120_000);

  test.each([
    [
      'an address that the host does not have',
      server('interface: 10.99.0.1'),
      'rejected_validate',
      'is no address of this host',
    ],
    [
      'an outgoing address that the host does not have',
      server(...lan, 'outgoing-interface: 10.99.0.1'),
      'rejected_validate',
      'is no address of this host',
    ],
    [
      'a port that somebody else has',
      server('interface: 10.77.0.2@7053', ...lan),
      'rolled_back',
      'unbound.service',
    ],
    [
      'everybody is refused',
      server('interface: 10.77.0.2', 'interface: 127.0.0.1', 'access-control: 10.77.0.0/24 refuse'),
      'rolled_back',
      'status: NOERROR',
    ],
  ])(
    'accepted by unbound-checkconf, and not applied: %s',
    async (_, text, code, told) => {
      expect(await lab.accepts(text, ['unbound-checkconf', '{file}'])).toBe(true);
      const outcome = await lab.sync({ [path]: text });
      expect(outcome).toMatchObject({ outcome: code.replace('rejected_validate', 'rejected'), code });
      expect(outcome.message).toContain(told);
      expect(await asked('b')).toBe('192.0.2.7\n');
    },
    120_000,
  );
});
