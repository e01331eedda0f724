import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Appliance, applianceUnavailable } from './appliance.ts';
import { Hub } from './appliance-hub.ts';
import { leftovers } from './appliance-leftovers.ts';
import { notTested } from './not-tested.ts';
import { projectRoot } from './source-files.ts';
import { until } from './until.ts';

/** Says how a connection to a port ended where nobody listens. */
const connecting = (host: string): string[] => [
  ...[process.execPath, '-e'],
  `require('node:net').connect({ host: '${host}', port: 1, timeout: 500 })
    .on('timeout', () => { console.log('no answer'); process.exit(); }).on('error', ({ code }) => console.log(code))`,
];

const ticker = {
  '/etc/systemd/system/tick.service': '[Service]\nType=oneshot\nExecStart=touch /var/lib/ticked\n',
  '/etc/systemd/system/tick.timer':
    '[Timer]\nOnActiveSec=10ms\nAccuracySec=1ms\n[Install]\nWantedBy=timers.target\n',
};

describe.skipIf(notTested('real appliances', applianceUnavailable()))('an appliance', () => {
  test('boots with systemd as its first process, and leaves nothing behind', async () => {
    {
      await using appliance = await Appliance.boot({ name: 'edge-1' });
      expect((await appliance.must('systemctl', 'is-system-running')).trim()).toBe('running');
      expect((await appliance.must('hostname')).trim()).toBe('edge-1');
      expect(await appliance.must('cat', '/proc/1/comm')).toBe('systemd\n');
      expect(leftovers()).not.toEqual([]);
    }
    expect(leftovers()).toEqual([]);
  });

  test('starts the units that were asked for, timers too, and no others', async () => {
    await using appliance = await Appliance.boot({ units: ['tick.timer'], files: ticker });
    await until('the timer has run', () => appliance.read('/var/lib/ticked').then(() => true));

    expect((await appliance.exec(['systemctl', 'is-active', 'nftables.service'])).stdout).toBe('inactive\n');
    await appliance.must('systemctl', 'start', 'nftables.service');
    expect(existsSync('/var/lib/ticked')).toBe(false);
  });

  test('runs programs with input and environment, and ends those that take too long', async () => {
    await using appliance = await Appliance.boot();
    const end = await appliance.exec(['sh', '-c', 'cat; echo "$COLOUR" >&2; exit 3'], {
      input: 'in',
      env: { COLOUR: 'green' },
    });
    expect(end).toMatchObject({ exitCode: 3, stdout: 'in', stderr: 'green\n' });
    await expect(appliance.must('false')).rejects.toThrow('false ended with 1');
    await expect(
      appliance.exec(['sh', '-c', 'echo so far; exec sleep 4711'], { timeoutMs: 300 }),
    ).rejects.toThrow(/not within 300 ms.*\nso far/s);
    await until(
      'it is gone',
      async () => (await appliance.exec(['pgrep', '-f', 'sleep 4711'])).exitCode === 1,
    );
    expect((await appliance.must(process.execPath, '-p', '1+1')).trim()).toBe('2');
    expect(await appliance.must('cat', join(projectRoot, 'package.json'))).toContain('"name"');
  });

  test('a reboot gives a new boot id, keeps files and forgets firewall rules', async () => {
    await using appliance = await Appliance.boot({ name: 'edge-1' });
    const before = await appliance.bootId();
    await appliance.write('/etc/kept', 'yes', { mode: 0o600 });
    await appliance.must('nft', 'add', 'table', 'inet', 'gone');

    await appliance.reboot();

    expect(await appliance.bootId()).not.toBe(before);
    expect(appliance.boots).toBe(2);
    expect(await appliance.read('/etc/kept')).toBe('yes');
    expect(await appliance.must('stat', '-c', '%a', '/etc/kept')).toBe('600\n');
    expect(await appliance.must('nft', 'list', 'ruleset')).toBe('');
    expect(await appliance.must('ip', '-o', 'address', 'show', 'eth0')).toContain(appliance.addresses[0]);
    expect((await appliance.must('journalctl', '--list-boots')).match(/^ *-?\d/gm)).toHaveLength(2);
  });

  test('a power cut ends everything at once and keeps files', async () => {
    await using appliance = await Appliance.boot();
    const program = appliance.spawn(['sh', '-c', 'echo there; exec sleep 1000']);
    if (program.stdout) await once(program.stdout, 'data');
    await appliance.write('/var/lib/kept', 'yes');
    const ended = once(program, 'exit');

    await appliance.kill();

    await ended;
    expect(await appliance.read('/var/lib/kept')).toBe('yes');
    await expect(appliance.must('true')).rejects.toThrow('is not running');
    await appliance.write('/var/lib/while-off', 'too');
    await appliance.start();
    expect(await appliance.read('/var/lib/while-off')).toBe('too');
  });

  test('two on one hub reach each other, and this machine’s loopback', async () => {
    const server = createServer((request, response) => response.end(`answer to ${request.url}`));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    await using hub = await Hub.open();
    await hub.expose(8443, (server.address() as AddressInfo).port);
    await using one = await Appliance.boot({ hub });
    await using other = await Appliance.boot({ hub });
    expect(one.addresses).not.toEqual(other.addresses);

    const fetching = (url: string) => [
      process.execPath,
      '-e',
      `fetch('${url}').then(async (r) => console.log(await r.text()))`,
    ];
    for (const host of [hub.address, `[${hub.address6}]`, 'hub']) {
      expect(await one.must(...fetching(`http://${host}:8443/x`))).toBe('answer to /x\n');
    }
    const reaching = async () => (await one.must(...connecting(other.addresses[0] ?? ''))).trim();
    expect(await reaching()).toBe('ECONNREFUSED');
    await one.connected(false);
    expect(await reaching()).not.toBe('ECONNREFUSED');
    await one.connected(true);
    await until('the cable is back', async () => (await reaching()) === 'ECONNREFUSED');
    server.close();
  });

  test('nothing of it outlives a test process that was killed', async () => {
    const program = `
      import { Appliance } from ${JSON.stringify(join(projectRoot, 'test/harness/appliance.ts'))};
      const appliance = await Appliance.boot();
      await appliance.expose(8443, 1);
      console.log('booted');
      await new Promise(() => setInterval(() => {}, 1000));`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    expect(leftovers(child.pid)).not.toEqual([]);

    child.kill('SIGKILL');

    await until('everything is gone', () => leftovers(child.pid).length === 0, {
      last: () => leftovers(child.pid),
    });
  });
});
