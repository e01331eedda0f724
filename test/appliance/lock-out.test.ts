import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mustRun } from '../harness/appliance-command.ts';
import { notTested } from '../harness/not-tested.ts';
import { selfSigned } from '../harness/self-signed.ts';
import { SyncLab, unboundWithoutNetwork } from './sync-lab.ts';

/**
 * What cuts a device off although every address is still reached: the controller's name, and whom the device trusts. Rules and routes
 * that do are tried where their service is.
 */

const hosts = (...lines: string[]): string => ['127.0.0.1 localhost', ...lines, ''].join('\n');
const resolver = '/etc/unbound/unbound.conf.d/lan.conf';
const knows = (name: string): string =>
  `server:\n  interface: 127.0.0.1\n  local-zone: "lab." static\n  local-data: "${name}.lab. A 10.77.0.1"\n`;

describe.skipIf(notTested('a controller that has a name', SyncLab.unavailable('unbound', 'dig', 'nft')))(
  'a controller whose name is not found any more',
  () => {
    let lab: SyncLab;
    const resolves = async () =>
      (await lab.appliance.exec(['getent', 'hosts', 'controller.lab'])).exitCode === 0;

    beforeAll(async () => {
      lab = await SyncLab.boot({
        units: ['unbound.service'],
        controllerName: 'controller.lab',
        files: {
          ...unboundWithoutNetwork,
          '/etc/resolv.conf': 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n',
          [resolver]: knows('controller'),
          '/etc/nftables.conf': 'flush ruleset\n',
        },
      });
      await lab.applied({ [resolver]: knows('controller'), '/etc/nftables.conf': 'flush ruleset\n' });
    }, 120_000);
    afterAll(() => lab?.[Symbol.asyncDispose]());

    test.each([
      ['its own resolver does not know it', { [resolver]: knows('somebody') }],
      ['/etc/hosts has another address for it', { '/etc/hosts': hosts('10.77.0.99 controller.lab') }],
      [
        'questions to the resolver are dropped',
        {
          '/etc/nftables.conf':
            'flush ruleset\ntable inet filter {\n  chain output { type filter hook output priority 0; udp dport 53 drop; tcp dport 53 drop; }\n}\n',
        },
      ],
    ])(
      'is rolled back: %s',
      async (_, files) => {
        expect(await resolves()).toBe(true);
        const outcome = await lab.sync(files, { confirmSeconds: 15 });
        expect(outcome, outcome.log.join('\n')).toMatchObject({
          outcome: 'rolled_back',
          code: 'rolled_back',
        });
        expect(outcome.message).toMatch(/not reached steadily .*(dns|tcp): /);
        expect(await lab.shell('getent hosts controller.lab')).toContain('10.77.0.1 ');
      },
      120_000,
    );

    test('is applied when only another way to the same name is left', async () => {
      await lab.applied({
        '/etc/hosts': hosts('10.77.0.1 controller.lab'),
        [resolver]: knows('somebody'),
      });
      expect(await resolves()).toBe(true);
    }, 120_000);
  },
);

describe.skipIf(notTested('a controller behind TLS', SyncLab.unavailable()))(
  'a controller whose certificate is not trusted any more',
  () => {
    const trusted = '/etc/ssl/muster/controller-ca.pem';
    const tls = selfSigned({ name: 'hub', expiresAt: Date.now() + 86_400_000 });
    const other = selfSigned({ name: 'hub', expiresAt: Date.now() + 86_400_000 });
    const withTrust = {
      units: [
        { name: 'trust', summary: 'Whom the agent trusts', paths: [{ glob: '/etc/ssl/muster/*.pem' }] },
      ],
      env: { NODE_EXTRA_CA_CERTS: trusted },
    };
    let lab: SyncLab;

    beforeAll(async () => {
      lab = await SyncLab.boot({ controllerName: 'hub', tls, files: { [trusted]: tls.cert } });
    }, 120_000);
    afterAll(() => lab?.[Symbol.asyncDispose]());

    test('is applied while it is trusted, also beside others', async () => {
      const outcome = await lab.sync({ [trusted]: `${tls.cert}${other.cert}` }, withTrust);
      expect(outcome, outcome.log.join('\n')).toMatchObject({ outcome: 'applied' });
    }, 120_000);

    // The process that asks has read the old certificates at its start, as an agent has.
    test.each([
      ['it is another one', other.cert],
      ['there is none', '# none\n'],
    ])(
      'is rolled back: %s',
      async (_, text) => {
        const before = await lab.appliance.read(trusted);
        const outcome = await lab.sync({ [trusted]: text }, { ...withTrust, confirmSeconds: 15 });
        expect(outcome, outcome.log.join('\n')).toMatchObject({ outcome: 'rolled_back' });
        expect(outcome.message).toMatch(/not reached steadily .*tls: /);
        expect(await lab.appliance.read(trusted)).toBe(before);
      },
      120_000,
    );
  },
);

describe.skipIf(notTested('a controller behind a gateway', SyncLab.unavailable('ifup')))(
  'a controller to which no route leads any more',
  () => {
    const path = '/etc/network/interfaces.d/uplink';
    const uplink = (...lines: string[]): string =>
      ['auto eth0', 'iface eth0 inet static', '  address 10.77.0.2/24', ...lines, ''].join('\n');
    const good = uplink('  gateway 10.77.0.1');
    const far = '10.99.0.1';
    let lab: SyncLab;

    beforeAll(async () => {
      lab = await SyncLab.boot({
        units: ['networking.service'],
        nics: [{ name: 'eth0', addresses: [] }],
        controllerName: far,
        files: {
          '/etc/network/interfaces':
            'auto lo\niface lo inet loopback\n\nsource /etc/network/interfaces.d/*\n',
          [path]: good,
        },
      });
      await mustRun(['ip', '-n', lab.appliance.hub.name, 'address', 'add', `${far}/32`, 'dev', 'bridge']);
    }, 120_000);
    afterAll(() => lab?.[Symbol.asyncDispose]());

    test.each([
      ['the gateway is left out', uplink()],
      ['the gateway is somebody else', uplink('  gateway 10.77.0.99')],
    ])(
      'is rolled back: %s',
      async (_, text) => {
        const outcome = await lab.sync({ [path]: text }, { confirmSeconds: 20 });
        expect(outcome, outcome.log.join('\n')).toMatchObject({ outcome: 'rolled_back' });
        expect(outcome.message).toMatch(/not reached steadily .*tcp: /);
        expect(await lab.appliance.read(path)).toBe(good);
        expect(await lab.shell(`ip route get ${far}`)).toContain('via 10.77.0.1 ');
      },
      120_000,
    );
  },
);
