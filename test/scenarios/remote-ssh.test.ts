import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { musterEnvironment } from '../harness/muster-process.ts';
import { lacks, notTested } from '../harness/not-tested.ts';
import { joinRemote, sessionsOf } from '../harness/remote-device.ts';
import { SshServer } from '../harness/ssh-server.ts';

const missing = notTested('OpenSSH through a session', lacks('ssh') ?? lacks('scp') ?? lacks('ssh-keygen'));

describe.skipIf(missing)('OpenSSH through a session', () => {
  let cluster: Cluster;
  let server: SshServer;
  /** What `muster ssh-config` prints, with the keys of the test. */
  let config: string;

  beforeAll(async () => {
    cluster = await Cluster.create('remote-ssh');
    server = await SshServer.start(join(cluster.folder, 'sshd'));
    await joinRemote(cluster, 'edge-1', { targets: [`127.0.0.1:${server.port}`] });
    const { stdout } = await cluster.muster(['ssh-config', '--user', server.user]);
    config = join(cluster.folder, 'ssh_config');
    writeFileSync(
      config,
      `${stdout}  Port ${server.port}\n  IdentityFile ${server.key}\n  IdentitiesOnly yes\n  StrictHostKeyChecking accept-new\n  UserKnownHostsFile ${join(cluster.folder, 'known_hosts')}\n  LogLevel ERROR\n`,
    );
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  /** Runs a program to its end. */
  async function run(
    program: string,
    args: string[],
    stdin = '',
  ): Promise<{ code: number | null; out: string; err: string }> {
    const child = spawn(program, args, { env: { ...process.env, ...musterEnvironment(cluster) } });
    child.stdin.on('error', () => {}).end(stdin);
    const closed = once(child, 'close') as Promise<[number | null]>;
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    return { code, out, err };
  }
  const ssh = (...args: string[]) => run('ssh', ['-F', config, ...args]);

  async function digestOf(file: string): Promise<string> {
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    return hash.digest('hex');
  }

  test('a login runs a command, with its output, its standard error and its exit code', async () => {
    const end = await ssh('edge-1.muster', 'echo out; echo err >&2; exit 5');
    expect(end).toMatchObject({ code: 5, out: 'out\n', err: 'err\n' });
  });

  test('scp of 200 MB arrives as it was, up and down', async () => {
    const [local, there, back] = ['local', 'there', 'back'].map((name) => join(cluster.folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(local, randomBytes(200_000_000));
    expect(await run('scp', ['-F', config, local, `edge-1.muster:${there}`])).toMatchObject({ code: 0 });
    expect(await digestOf(there)).toBe(await digestOf(local));
    expect(await run('scp', ['-F', config, `edge-1.muster:${there}`, back])).toMatchObject({ code: 0 });
    expect(await digestOf(back)).toBe(await digestOf(local));
  });

  test('a ControlMaster shares one session between many logins', async () => {
    const before = (await sessionsOf(cluster)).length;
    const socket = join(cluster.folder, 'master');
    const shared = ['-o', `ControlPath=${socket}`];
    const first = await ssh(
      ...shared,
      '-o',
      'ControlMaster=auto',
      '-o',
      'ControlPersist=60',
      '-f',
      '-N',
      'edge-1.muster',
    );
    expect(first.code).toBe(0);
    const ends = await Promise.all(
      Array.from({ length: 8 }, (_, index) => ssh(...shared, 'edge-1.muster', `echo ${index}`)),
    );
    expect(ends.map(({ out }) => out.trim())).toEqual(ends.map((_, index) => String(index)));
    expect((await ssh(...shared, '-O', 'exit', 'edge-1.muster')).code).toBe(0);
    expect((await sessionsOf(cluster)).length).toBe(before + 1);
  });

  test.each([
    ['with keep-alives a login that says nothing stays', 1, 0, 'still here\n'],
    ['without them it ends at the idle limit', 0, 255, ''],
  ])('%s', async (_what, interval, code, out) => {
    const command = /ProxyCommand (.*) proxy /.exec(readFileSync(config, 'utf8'))?.[1] ?? '';
    const end = await ssh(
      ...['-o', `ProxyCommand=${command} proxy --idle 3s %h %p`],
      ...['-o', `ServerAliveInterval=${interval}`],
      'edge-1.muster',
      'sleep 8; echo still here',
    );
    expect(end).toMatchObject({ code, out });
  });

  test('rsync brings a tree, and the second time only what changed', async () => {
    if (notTested('rsync through a session', lacks('rsync'))) return;
    const [from, to] = ['from', 'to'].map((name) => join(cluster.folder, name)) as [string, string];
    mkdirSync(join(from, 'deep'), { recursive: true });
    for (let index = 0; index < 50; index += 1)
      writeFileSync(join(from, 'deep', `${index}`), randomBytes(1 + index * 1000));
    const sync = () =>
      run('rsync', ['-a', '--stats', '-e', `ssh -F ${config}`, `${from}/`, `edge-1.muster:${to}/`]);
    const first = await sync();
    expect(first).toMatchObject({ code: 0 });
    expect(first.out).toMatch(/regular files transferred: 50/);
    writeFileSync(join(from, 'deep', '7'), 'changed');
    expect((await sync()).out).toMatch(/regular files transferred: 1\b/);
    expect(await digestOf(join(to, 'deep', '49'))).toBe(await digestOf(join(from, 'deep', '49')));
  });

  test('a port that the device does not allow is told by ssh as its reason', async () => {
    const end = await ssh('-p', '25', 'edge-1.muster', 'true');
    expect(end.code).toBe(255);
    expect(end.err).toMatch(/policy of this device does not allow tcp:127.0.0.1:25/);
  });
});
