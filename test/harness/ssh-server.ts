import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

/** An OpenSSH server on a port of loopback, with keys of its own and one user: whoever runs the test. */
export class SshServer implements AsyncDisposable {
  readonly port: number;
  /** Private key of the user. */
  readonly key: string;
  readonly user: string;
  readonly #process: ChildProcess;

  private constructor(parts: { port: number; key: string; process: ChildProcess }) {
    this.port = parts.port;
    this.key = parts.key;
    this.user = userInfo().username;
    this.#process = parts.process;
  }

  static async start(folder: string): Promise<SshServer> {
    mkdirSync(folder, { mode: 0o700 });
    const [host, key] = [join(folder, 'host'), join(folder, 'user')];
    for (const file of [host, key]) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
    copyFileSync(`${key}.pub`, join(folder, 'authorized'));
    chmodSync(join(folder, 'authorized'), 0o600);
    const port = await freePort();
    const config = join(folder, 'sshd_config');
    writeFileSync(
      config,
      [
        `Port ${port}`,
        'ListenAddress 127.0.0.1',
        `HostKey ${host}`,
        `PidFile ${join(folder, 'pid')}`,
        `AuthorizedKeysFile ${join(folder, 'authorized')}`,
        'PasswordAuthentication no',
        'KbdInteractiveAuthentication no',
        'UsePAM no',
        'StrictModes no',
        'PermitRootLogin prohibit-password',
        'Subsystem sftp internal-sftp',
        'UseDNS no',
        'LogLevel ERROR',
        '',
      ].join('\n'),
    );
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    const server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: 'ignore' });
    await until('the ssh server listens', () => answers(port));
    return new SshServer({ port, key, process: server });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('data', () => socket.destroy());
  });
}
