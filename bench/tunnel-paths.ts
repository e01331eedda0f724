/** Ways from a port of this machine to a target port: directly, and through others' tunnels. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, startProgram, stopProgram, temporaryFolder, waitForPort } from './children.ts';

export interface Path {
  port: number;
  /** What stands between both sides: its processor time is counted. */
  controllerPid?: number;
  /** Processes whose memory is watched. */
  pids: number[];
  stop(): Promise<void>;
}

const relayFile = new URL('./tunnel-relay.ts', import.meta.url).pathname;

export const direct = async (target: number): Promise<Path> => ({
  port: target,
  pids: [],
  stop: async () => {},
});

/** Programs in C with the same number of hops. */
export async function socatThrice(target: number): Promise<Path> {
  const processes: ChildProcess[] = [];
  let port = target;
  for (let hop = 0; hop < 3; hop += 1) {
    const own = await freePort();
    processes.push(
      spawn(
        'socat',
        [`TCP-LISTEN:${own},bind=127.0.0.1,fork,reuseaddr,nodelay`, `TCP:127.0.0.1:${port},nodelay`],
        { stdio: 'ignore' },
      ),
    );
    await waitForPort(own);
    port = own;
  }
  return pathOf(port, processes);
}

/** Three processes of ours without anything around them; see `tunnel-relay.ts`. */
export const relay =
  (style: 'mux' | 'h2' | 'ws') =>
  async (target: number): Promise<Path> => {
    const [port, listen] = [await freePort(), await freePort()];
    const json = JSON.stringify({ port, listen, target });
    const processes: ChildProcess[] = [];
    for (const role of ['controller', 'agent', 'operator']) {
      processes.push(startProgram([relayFile, role, style, json]));
      if (role === 'controller' && style === 'ws') await waitForPort(port);
      else await sleep(700); // a probe of the port would count as a side
    }
    await waitForPort(listen);
    return pathOf(listen, processes);
  };

/** `ssh -R` from the device and `ssh -L` from the operator, through one server. */
export async function sshBoth(target: number): Promise<Path> {
  const folder = temporaryFolder();
  for (const name of ['host', 'user']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${folder}/${name}`]);
  }
  copyFileSync(`${folder}/user.pub`, `${folder}/authorized`);
  chmodSync(`${folder}/authorized`, 0o600);
  const [port, middle, near] = [await freePort(), await freePort(), await freePort()];
  writeFileSync(
    `${folder}/config`,
    `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${folder}/host\nPidFile ${folder}/pid\nAuthorizedKeysFile ${folder}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nLogLevel ERROR\n`,
  );
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', `${folder}/config`], { stdio: 'ignore' });
  await waitForPort(port);
  const options = [
    '-N',
    '-F',
    'none',
    '-i',
    `${folder}/user`,
    '-o',
    'StrictHostKeyChecking=no',
    '-o',
    'UserKnownHostsFile=/dev/null',
    '-o',
    'LogLevel=ERROR',
    '-p',
    String(port),
  ];
  const who = `${userInfo().username}@127.0.0.1`;
  const device = spawn('ssh', [...options, '-R', `127.0.0.1:${middle}:127.0.0.1:${target}`, who], {
    stdio: 'ignore',
  });
  await waitForPort(middle);
  const operator = spawn('ssh', [...options, '-L', `127.0.0.1:${near}:127.0.0.1:${middle}`, who], {
    stdio: 'ignore',
  });
  await waitForPort(near);
  return pathOf(near, [server, device, operator]);
}

export function pathOf(port: number, processes: ChildProcess[], more: Partial<Path> = {}): Path {
  const pids = processes.flatMap(({ pid }) => pid ?? []);
  return {
    port,
    pids,
    ...(pids[0] === undefined ? {} : { controllerPid: pids[0] }),
    stop: async () => {
      for (const one of processes.reverse()) await stopProgram(one, 'SIGKILL');
    },
    ...more,
  };
}
