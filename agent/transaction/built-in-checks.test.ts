import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { BuiltInCheck, DeviceProfile } from '../../shared/device-profile.ts';
import { type ScriptedAnswer, ScriptedMachine } from '../../test/harness/scripted-machine.ts';
import { TestClock } from '../../test/harness/test-clock.ts';
import { runBuiltIn } from './built-in-checks.ts';
import type { CommandPlace } from './machine.ts';

const host = JSON.stringify([
  { ifname: 'lo', addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8, scope: 'host' }] },
  {
    ifname: 'eth0',
    addr_info: [
      { family: 'inet', local: '192.0.2.1', prefixlen: 24, scope: 'global' },
      { family: 'inet6', local: '2001:db8::1', prefixlen: 64, scope: 'global' },
    ],
  },
]);

const profile = DeviceProfile.parse({
  id: 'lab',
  rev: 1,
  summary: 'x',
  platform: 'linux',
  tried: 'run',
  units: [
    { name: 'svc', summary: 'x', paths: [{ glob: '/etc/svc/*' }] },
    {
      name: 'net',
      summary: 'x',
      paths: [{ glob: '/etc/net/*' }],
      gives: { addresses: '^address (\\S+)', interfaces: '^iface (\\S+)', interface_files: '/etc/net/*' },
    },
  ],
});

interface Setting {
  files?: Record<string, string>;
  /** Of the unit that gives addresses. */
  net?: Record<string, string>;
  place?: CommandPlace;
  answer?: (argv: string[]) => ScriptedAnswer;
}

function problem(
  parts: object,
  { files = {}, net = {}, place = 'candidate', answer = () => ({}) }: Setting = {},
) {
  const machine = new ScriptedMachine((argv) => (argv[0] === 'ip' ? { stdout: host } : answer(argv)));
  const asTexts = (some: Record<string, string>) => ({
    before: new Map<string, string>(),
    after: new Map(Object.entries(some)),
  });
  const texts = new Map([
    ['svc', asTexts(files)],
    ['net', asTexts(net)],
  ]);
  const [unit] = profile.units;
  if (!unit) throw new Error('the profile has no unit');
  const context = { machine, clock: new TestClock(), profile, texts, signal: new AbortController().signal };
  return runBuiltIn(unit, BuiltInCheck.parse({ id: 'check', ...parts }), place, context);
}

const inFile = (text: string) => ({ files: { '/etc/svc/a': text } });

describe('text', () => {
  test('must be there, comments do not count', async () => {
    const check = { built_in: 'must_contain', pattern: '^flush' };
    expect(await problem(check, inFile('# x\nflush all\n'))).toBeUndefined();
    expect(await problem(check, inFile('  # flush\n#flush all\n'))).toContain('/^flush/');
    expect(await problem(check)).toBeUndefined();
  });

  test('must not be there', async () => {
    const check = { built_in: 'must_not_contain', pattern: '^exec .*$' };
    expect(await problem(check, inFile('# exec a\nnothing'))).toBeUndefined();
    expect(await problem(check, inFile('exec rm\n'))).toBe('/etc/svc/a must not contain exec rm');
  });

  test('is looked for in some files only, and not in what is excepted', async () => {
    const files = { '/etc/svc/a': 'name bad', '/etc/svc/b': 'name bad' };
    expect(
      await problem({ built_in: 'must_not_contain', pattern: 'name (\\S+)', files: '/etc/svc/b' }, { files }),
    ).toContain('/etc/svc/b');
    expect(
      await problem({ built_in: 'must_not_contain', pattern: 'name (\\S+)', except: '^bad$' }, { files }),
    ).toBeUndefined();
  });
});

describe('addresses', () => {
  const exist = { built_in: 'addresses_exist', pattern: '^listen (\\S+)' };

  test.each([
    '192.0.2.1',
    '2001:DB8:0::1',
    '[2001:db8::1]:53',
    '192.0.2.1@5353',
    '0.0.0.0',
    '::',
    '*',
    '127.0.0.53',
    'eth0',
    '192.0.2.1,127.0.0.1',
  ])('%s is there', async (address) => {
    expect(await problem(exist, inFile(`listen ${address}`))).toBeUndefined();
  });

  test.each(['192.0.2.2', '2001:db8::2', 'eth7', '192.0.2.1,192.0.2.3', '300.1.1.1'])(
    '%s is not',
    async (address) => {
      expect(await problem(exist, inFile(`listen ${address}`))).toContain('/etc/svc/a');
    },
  );

  test('that the candidate gives count before the apply, and not after', async () => {
    const setting = {
      ...inFile('listen 198.51.100.1'),
      net: { '/etc/net/wg0.conf': 'address 198.51.100.1/24' },
    };
    expect(await problem(exist, setting)).toBeUndefined();
    expect(await problem(exist, { ...setting, place: 'host' })).toContain(
      '198.51.100.1 is no address of this host',
    );
  });

  test('are read as people write them, or named', async () => {
    const valid = { built_in: 'addresses_valid', pattern: '^address (.*)$' };
    expect(
      await problem(valid, inFile('address 192.0.2.1/24, 2001:db8::/32\naddress 10.0.0.1')),
    ).toBeUndefined();
    for (const bad of [
      '300.1.1.1',
      '10.0.0.1/33',
      '2001:db8::/129',
      '10.0.0',
      '1',
      '0x7f.1',
      '10.0.0.1/',
      'a/b/c',
    ]) {
      expect(await problem(valid, inFile(`address ${bad}`)), bad).toContain(`${bad} is no address`);
    }
  });
});

test('interfaces are those of the host, those that the candidate brings, and patterns that match one', async () => {
  const exist = { built_in: 'interfaces_exist', pattern: '^on (.*)$' };
  const net = { '/etc/net/wg0.conf': 'iface br0' };
  for (const name of ['eth0', 'wg0', 'br0', 'eth*', '"eth0", "lo"'])
    expect(await problem(exist, { ...inFile(`on ${name}`), net }), name).toBeUndefined();
  expect(await problem(exist, { ...inFile('on eth0, eth7'), net })).toContain('no interface eth7');
});

test('files that are named must exist in that place', async () => {
  const check = { built_in: 'files_exist', pattern: '^include (\\S+)' };
  const answer = (argv: string[]) => ({ exitCode: argv[2] === '/there' ? 0 : 1 });
  expect(await problem(check, { ...inFile('include /there'), answer })).toBeUndefined();
  expect(await problem(check, { ...inFile('include /gone'), answer })).toBe(
    '/etc/svc/a names /gone, which does not exist',
  );
});

describe('DHCP ranges', () => {
  const check = { built_in: 'dhcp_ranges', pattern: '^range=(\\S+)' };

  test.each([
    '192.0.2.10,192.0.2.20,12h',
    'tag:a,set:b,192.0.2.10,192.0.2.20',
    '192.0.2.0,static',
    '10.0.0.10,10.0.0.20,255.255.255.0,1h',
    '2001:db8::10,2001:db8::20,64',
    '::100,::200,constructor:eth0',
  ])('%s', async (range) => {
    expect(await problem(check, inFile(`range=${range}`))).toBeUndefined();
  });

  test.each([
    ['banana', 'banana is no address'],
    ['192.0.2.10', 'expected an end address or a mode'],
    ['192.0.2.20,192.0.2.10', 'comes before'],
    ['192.0.2.10,2001:db8::1', 'different families'],
    ['192.0.2.10,192.0.3.10', 'no interface of this host'],
    ['10.0.0.10,10.0.0.20,12h', 'no interface of this host'],
  ])('%s is refused', async (range, told) => {
    expect(await problem(check, inFile(`range=${range}`))).toContain(told);
  });
});

describe('WireGuard', () => {
  const key = (): string => randomBytes(32).toString('base64');
  const [own, peer] = [key(), key()];
  const text = (more = '') =>
    `[Interface]\nPrivateKey = ${own}\nAddress = 192.0.2.1/24\nListenPort=51820 # port\n\n[Peer]\nPublicKey = ${peer}\nAllowedIPs = 10.0.0.77/24,fd00::/8\nEndpoint = [2001:db8::9]:51820\n${more}`;
  const check = { built_in: 'wireguard_config' };
  const files = (content: string) => ({ files: { '/etc/svc/eth0.conf': content } });

  test('a good file', async () => {
    expect(await problem(check, files(text()))).toBeUndefined();
  });

  test.each([
    ['a key that is too short', 'PresharedKey = abcd', 'PresharedKey: expected a key of 32 bytes'],
    ['an unknown setting', 'Allowed = 1', 'Allowed: not known in [Peer]'],
    ['an unknown section', '[Peers]', 'expected [Interface] or [Peer]'],
    ['a line without a value', 'Endpoint', 'a line without ='],
    ['a port that is none', 'Endpoint = a.example:99999', 'expected HOST:PORT'],
    ['a peer without a key', '[Peer]\nAllowedIPs = 10.0.0.1/32', 'has no PublicKey'],
  ])('%s', async (_, line, told) => {
    expect(await problem(check, files(text(`${line}\n`)))).toContain(told);
  });

  test('the same peer twice, or no key of its own', async () => {
    expect(await problem(check, files(text(`[Peer]\nPublicKey = ${peer}\n`)))).toContain(
      'the same PublicKey',
    );
    expect(await problem(check, files('[Interface]\nListenPort = 1\n'))).toContain(
      '[Interface] has no PrivateKey',
    );
  });

  test('never tells a value', async () => {
    expect(await problem(check, files(`[Interface]\nPrivateKey = hunter2\n`))).not.toContain('hunter2');
  });

  test('what runs is what the file says, whatever bits the kernel clears', async () => {
    const clamped = Buffer.from(own, 'base64');
    clamped[0] = (clamped[0] ?? 0) & 248;
    clamped[31] = ((clamped[31] ?? 0) & 127) | 64;
    const shown = (publicKey: string) =>
      `[Interface]\nListenPort = 51820\nPrivateKey = ${clamped.toString('base64')}\n\n[Peer]\nPublicKey = ${publicKey}\nAllowedIPs = fd00::/8, 10.0.0.0/24\n`;
    const running = { built_in: 'wireguard_running' };
    const place = 'host' as const;
    expect(
      await problem(running, { ...files(text()), place, answer: () => ({ stdout: shown(peer) }) }),
    ).toBeUndefined();
    expect(
      await problem(running, { ...files(text()), place, answer: () => ({ stdout: shown(key()) }) }),
    ).toContain('set of peers');
    expect(
      await problem(running, {
        ...files(text().replace('192.0.2.1', '192.0.2.9')),
        place,
        answer: () => ({ stdout: shown(peer) }),
      }),
    ).toContain('address');
    expect(await problem(running, { ...files(text()), place, answer: () => ({ exitCode: 1 }) })).toContain(
      'does not run',
    );
  });
});

describe('entry over SSH', () => {
  const accounts =
    'root:x:0:0::/root:/bin/bash\nnobody:x:99:99::/:/usr/sbin/nologin\nada:x:1000:1000::/home/ada:/bin/sh\n';
  const groups = 'root:x:0:\nada:x:1000:\nops:x:50:ada\n';
  const entry = (...settings: string[]) => {
    const text = ['pubkeyauthentication yes', 'passwordauthentication no', 'permitrootlogin yes', ...settings]
      .reverse()
      .join('\n');
    const stdout: Record<string, string> = { '/usr/sbin/sshd': text, passwd: accounts, group: groups };
    return problem(
      { built_in: 'ssh_entry' },
      { answer: ([program = '', kind = '']) => ({ stdout: stdout[kind] ?? stdout[program] ?? '' }) },
    );
  };

  test.each([
    [[]],
    [['permitrootlogin no']],
    [['allowusers root']],
    [['allowusers a*@10.0.0.0/8']],
    [['allowgroups ops']],
    [['denyusers root']],
    [['denyusers ada@10.0.0.1', 'allowusers ada']],
  ])('somebody enters with %j', async (settings) => {
    expect(await entry(...settings)).toBeUndefined();
  });

  test.each([
    [['allowusers nobody']],
    [['allowusers root', 'permitrootlogin no']],
    [['denyusers ada', 'permitrootlogin no']],
    [['denygroups root ada']],
    [['allowgroups nogroup']],
    [['allowusers ada', 'denygroups ops']],
    [['pubkeyauthentication no']],
  ])('nobody enters with %j', async (settings) => {
    expect(await entry(...settings)).toBeDefined();
  });
});
