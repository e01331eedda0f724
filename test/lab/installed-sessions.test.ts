import { generateKeyPairSync, sign } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SignedOrder } from '../../agent/handlers/handler.ts';
import { Cluster } from '../harness/cluster.ts';
import { MusterProcess, musterBytes } from '../harness/muster-process.ts';
import { runRecorded } from '../harness/recorded-shell.ts';
import { sessionsOf } from '../harness/remote-device.ts';
import { projectRoot } from '../harness/source-files.ts';
import { until } from '../harness/until.ts';
import { builtPackages } from './built-packages.ts';
import { InstalledDevice } from './installed-device.ts';
import { labMissing } from './lab.ts';

const socket = '/run/muster-agent-root-helper.sock';
const program = join(projectRoot, 'test/lab/taken-over-agent.ts');
const helperUnit = 'muster-agent-root-helper.service';

/** Shells and commands on a device whose agent is not root, through the real CLI. */
describe.skipIf(labMissing('sessions of the installed agent'))('sessions of the installed agent', () => {
  let cluster: Cluster;
  let device: InstalledDevice;

  beforeAll(async () => {
    cluster = await Cluster.create('installed-sessions');
    device = await InstalledDevice.enrolled(cluster, 'edge-1');
  });

  afterAll(async () => {
    await device?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const exec = (...argv: string[]) => musterBytes(cluster, ['exec', 'edge-1', '--', ...argv]);
  const runs = async (marker: string): Promise<boolean> =>
    (await device.box.exec(['pgrep', '-f', `^[a-z/]*sleep ${marker}$`])).exitCode === 0;
  /** Its own policy file, as an administrator changes it. */
  const configure = async (remoteAccess: string): Promise<void> => {
    const before = await device.box.must('sh', '-c', "sed '/^remote_access:/,$d' /etc/muster/agent.yaml");
    await device.box.write('/etc/muster/agent.yaml', `${before}\nremote_access: ${remoteAccess}\n`);
    await device.box.must('systemctl', 'restart', helperUnit, 'muster-agent.service');
    await device.online();
  };
  /** With the rights of the agent, and none of its habits. */
  const takenOver = async (args: string[], input = ''): Promise<Record<string, string>> => {
    const agent = ['setpriv', '--reuid=muster-agent', '--regid=muster-agent', '--clear-groups', '--'];
    const end = await device.box.exec([...agent, process.execPath, program, ...args], { input });
    return JSON.parse(end.stdout || `{"failed": ${JSON.stringify(end.stderr)}}`) as Record<string, string>;
  };
  const show = (order: SignedOrder) => takenOver(['run', socket], JSON.stringify(order));
  const signal = (unit: string, name: string) =>
    device.box.must('systemctl', 'kill', '--kill-whom=main', '-s', name, unit);

  test('a command runs as root, with its input, its output and its exit code', async () => {
    const end = await musterBytes(
      cluster,
      ['exec', 'edge-1', '--', 'sh', '-c', 'id -un; wc -c; echo problem >&2; exit 7'],
      Buffer.alloc(3_000_000, 'x'),
    );
    expect(end).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('problem') });
    expect(end.stdout.toString()).toBe('root\n3000000\n');
  });

  test('it is on the machine itself: its mounts, its kernel log, files as others make them, nothing inherited', async () => {
    const look = [
      'test "$(readlink /proc/self/ns/mnt)" = "$(readlink /proc/1/ns/mnt)" || echo "mounts of its own"',
      'grep -q "^CapEff:.*0*$(grep ^CapEff: /proc/1/status | cut -f2)" /proc/self/status || echo "less capable"',
      'grep -q "^NoNewPrivs:.0" /proc/self/status || echo "no new privileges"',
      'test "$(umask)" = 0022 || echo "umask $(umask)"',
      'test "$(cat /proc/self/oom_score_adj)" -ge 0 || echo "spared when memory runs out"',
      'test "$(ls /proc/self/fd | wc -l)" = 4 || ls -l /proc/self/fd', // the three, and the folder itself
      'env | grep -v "^\\(HOME\\|LANG\\|LOGNAME\\|PATH\\|PWD\\|USER\\)="',
      'grep ^0:: /proc/self/cgroup | grep -v muster-agent-root-helper.service',
    ];
    const { stdout, stderr } = await exec('sh', '-c', look.join('\n'));
    expect(`${stdout}${stderr}`).toBe('');
  });

  test('a shell is one of root on a terminal of the size that it is told; it ends with its exit code and is kept', async () => {
    const shell = await runRecorded(cluster, 'edge-1');
    shell.type('id -un; tty; stty size\r');
    await shell.shows(/root\s+\/dev\/pts\/\d+\s+24 80/);
    shell.resize(121, 43);
    await until('the new size is told', () => {
      shell.type('stty size\r');
      return /43 121/.test(shell.shown());
    });
    shell.type('sleep 4444\r');
    await until('it runs', () => runs('4444'));
    shell.type('\x03exit 9\r');
    expect(await shell.ended).toBe(9);
    const session = await until('the session is over', async () => {
      const [last] = await sessionsOf(cluster);
      return last?.['state'] === 'closed' ? last : undefined;
    });
    const played = await cluster.muster(['session', 'play', '--speed', '100', String(session['session'])]);
    expect(played.stdout).toContain('43 121');
    expect((await device.box.exec(['ls', '-A', '/var/lib/muster-root-helper/spool'])).stdout).toBe('');
  });

  test('an agent that is killed takes its shells and commands with it, and what was recorded is kept', async () => {
    await using command = new MusterProcess(cluster, ['exec', 'edge-1', '--', 'sleep', '5551']);
    const shell = await runRecorded(cluster, 'edge-1');
    shell.type("trap '' HUP; sleep 5552 &\r");
    shell.type('echo kept $((40+2)); sleep 5553\r');
    await until('all run', async () =>
      (await Promise.all(['5551', '5552', '5553'].map(runs))).every(Boolean),
    );
    const sessions = await sessionsOf(cluster, '?state=open');
    await signal('muster-agent.service', 'KILL');
    await until(
      'none runs',
      async () => !(await Promise.all(['5551', '5552', '5553'].map(runs))).some(Boolean),
    );
    expect((await command.ended).exitCode).not.toBe(0);
    for (const { task } of sessions) {
      expect(await cluster.controller.ended(String(task))).toMatchObject({
        status: 'FAILED',
        error_code: 'interrupted',
      });
    }
    const recorded = sessions.map(({ session }) => String(session));
    const played = await Promise.all(
      recorded.map((id) => cluster.muster(['session', 'play', '--speed', '100', id])),
    );
    expect(played.map(({ stdout }) => stdout).join('')).toContain('kept 42');
    await device.online();
    expect((await exec('echo', 'again')).stdout.toString()).toBe('again\n');
  });

  test('an agent that hangs keeps nothing running: the helper asks whether it lives', async () => {
    await using command = new MusterProcess(cluster, ['exec', 'edge-1', '--', 'sleep', '5561']);
    await until('it runs', () => runs('5561'));
    await signal('muster-agent.service', 'STOP');
    await until('it is gone', async () => !(await runs('5561')), { deadlineMs: 60_000, everyMs: 500 });
    await signal('muster-agent.service', 'CONT');
    expect((await command.ended).exitCode).not.toBe(0);
    await device.online();
  });

  test('a helper that is killed takes them with it too; the session says so, and the next one is served', async () => {
    await using command = new MusterProcess(cluster, [
      'exec',
      'edge-1',
      '--',
      'setsid',
      '--wait',
      'sleep',
      '6661',
    ]);
    const shell = await runRecorded(cluster, 'edge-1');
    shell.type('echo kept $((41+2)); sleep 6662\r');
    await until('both run', async () => (await runs('6661')) && (await runs('6662')));
    const sessions = await sessionsOf(cluster, '?state=open');
    await signal(helperUnit, 'KILL');
    await until('none runs', async () => !(await runs('6661')) && !(await runs('6662')));
    const end = await command.ended;
    expect(end).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/root helper of this device went away/),
    });
    await shell.shows(/root helper of this device went away/);
    for (const { task } of sessions) await cluster.controller.ended(String(task));
    const ids = sessions.map(({ session }) => String(session));
    const played = await Promise.all(
      ids.map((id) => cluster.muster(['session', 'play', '--speed', '100', id])),
    );
    expect(played.map(({ stdout }) => stdout).join('')).toContain('kept 43');
    expect((await exec('echo', 'again')).stdout.toString()).toBe('again\n');
  });

  test('an agent that was taken over starts nothing without an order of its own session', async () => {
    expect((await show({ order: '{}', signature: 'AAAA' })).refused).toMatch(/not signed by the controller/);

    const elsewhere = await cluster.join('edge-2');
    await using open = new MusterProcess(cluster, ['exec', 'edge-1', '--', 'sleep', '7771']);
    await using other = new MusterProcess(cluster, ['exec', 'edge-2', '--', 'sleep', '7772']);
    await until('both are open', async () => (await sessionsOf(cluster, '?state=open')).length === 2);
    const [order] = (await takenOver([
      'orders',
      '/var/lib/muster-agent/agent.sqlite',
    ])) as unknown as SignedOrder[];
    const [foreign] = ordersIn(join(elsewhere.folder, 'agent.sqlite'));
    if (!order || !foreign) throw new Error('no order of an open session was found');

    // Shown a second time while the session lasts, it waits; when the session is over, it has been used.
    const replayed = show(order);
    expect((await show(foreign)).refused).toMatch(/is for device .*, this is/);
    expect((await show(withLimit(order))).refused).toMatch(/not signed by the controller/);
    expect((await show(signedBy(withLimit(order)))).refused).toMatch(/not signed by the controller/);
    open.child.kill('SIGTERM');
    other.child.kill('SIGTERM');
    await Promise.all([open.ended, other.ended]);
    expect((await replayed).refused).toMatch(/has ended its part of this session/);
    expect((await show(order)).refused).toMatch(/has ended its part of this session/);
    await device.box.must('systemctl', 'restart', helperUnit);
    expect((await show(order)).refused).toMatch(/has ended its part of this session/);
    expect((await device.box.exec(['test', '-e', '/taken-over'])).exitCode).toBe(1);
  });

  test('who upgrades the agent in a session of its own is not cut off; the new version starts when the session is over', async () => {
    const pid = () =>
      device.box.must('systemctl', 'show', '--value', '-p', 'MainPID', 'muster-agent.service');
    const before = await pid();
    const { agent } = await builtPackages();
    const script = `dpkg --install ${agent} && dpkg --status muster-agent | grep ^Status && systemctl show --value -p MainPID muster-agent`;
    const end = await exec('sh', '-c', script);
    expect(end).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/new version starts when this session/),
    });
    expect(end.stdout.toString()).toMatch(new RegExp(`install ok installed\\n${before.trim()}\\n$`));
    await until('another process', async () => !['0', before.trim()].includes((await pid()).trim()));
    await device.online();
    expect((await exec('echo', 'upgraded')).stdout.toString()).toBe('upgraded\n');
  });

  test('the file of the device has the last word: its user, no commands, nothing at all', async () => {
    await configure('{user: nobody}');
    expect((await exec('id', '-un')).stdout.toString()).toBe('nobody\n');
    await configure('{exec: false}');
    expect(await exec('true')).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/policy/) });
    await configure('{mode: readonly}');
    expect(await exec('true')).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/policy/) });
    await configure('{mode: disabled}');
    expect(await exec('true')).toMatchObject({ exitCode: 6, stderr: expect.stringMatching(/policy/) });
    await configure('{}');
    expect((await exec('id', '-un')).stdout.toString()).toBe('root\n');
  });

  test('what the agent allows counts for nothing when the helper does not', async () => {
    await configure('{mode: disabled}');
    // As if only the agent had been told, or had decided so itself.
    await device.box.must('sed', '-i', 's/^remote_access: .*/remote_access: {}/', '/etc/muster/agent.yaml');
    await device.box.must('systemctl', 'restart', 'muster-agent.service');
    await device.online();
    expect(await exec('true')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/does not allow remote access/),
    });
    await configure('{}');
  });

  test('without its helper a device says what is missing', async () => {
    await device.box.must(
      'systemctl',
      'mask',
      '--now',
      '--runtime',
      'muster-agent-root-helper.socket',
      helperUnit,
    );
    expect(await exec('true')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/root helper of this device is not there/),
    });
    await device.box.must('systemctl', 'unmask', '--runtime', 'muster-agent-root-helper.socket', helperUnit);
    await device.box.must('systemctl', 'start', 'muster-agent-root-helper.socket');
    expect((await exec('echo', 'back')).stdout.toString()).toBe('back\n');
  });
});

function ordersIn(database: string): SignedOrder[] {
  const query = "SELECT signed FROM tasks WHERE type = 'CONNECT' AND signed IS NOT NULL";
  const rows = new DatabaseSync(database, { readOnly: true }).prepare(query).all();
  return rows.map(({ signed }) => JSON.parse(String(signed)) as SignedOrder);
}

/** An order as somebody would like it: for another session, and for a week. */
function withLimit({ order, signature }: SignedOrder): SignedOrder {
  const wish = JSON.parse(order) as { parameters: Record<string, unknown> };
  const changed = { ...wish, code: 'zZ9zZ9zZ', parameters: { ...wish.parameters, max_seconds: 604_800 } };
  return { order: JSON.stringify(changed), signature };
}

/** By a key of somebody else. */
function signedBy({ order }: SignedOrder): SignedOrder {
  const { privateKey } = generateKeyPairSync('ed25519');
  return { order, signature: sign(null, Buffer.from(order), privateKey).toString('base64url') };
}
