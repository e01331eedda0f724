import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot } from './source-files.ts';

/** Where a container must have groups of its own; the one in which it makes its tree comes last. */
export function hierarchies(): string[] {
  const hybrid = ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified'].filter((path) => existsSync(path));
  return hybrid.length > 0 ? hybrid : ['/sys/fs/cgroup'];
}

/** What starts the container in the keeper's mount namespace and in control groups of its own. */
export function containerCommand(keeper: number, name: string, root: string): string[] {
  const enterGroups =
    'name=$1; while [ "$2" != -- ]; do echo $$ >"$2/$name/cgroup.procs"; shift; done; shift 2; exec "$@"';
  const tunnel = existsSync('/dev/net/tun') ? ['--bind=/dev/net/tun'] : [];
  return [
    ...['nsenter', '--target', `${keeper}`, '--mount', '--', 'sh', '-c', enterGroups, 'sh', name],
    ...[...hierarchies(), '--'],
    ...['systemd-nspawn', '--quiet', `--directory=${root}`, '--boot', `--machine=${name}`],
    ...['--register=no', '--keep-unit', '--console=read-only', '--settings=no'],
    ...['--link-journal=no', '--resolv-conf=off', '--timezone=off'],
    `--network-namespace-path=/run/netns/${name}`,
    '--capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_ADMIN',
    ...tunnel,
    ...[...new Set([projectRoot, dirname(process.execPath)])].map((path) => `--bind-ro=${path}`),
  ];
}

/** Kills all its processes at once: when only the first one is, the others see for a moment how their machine falls apart. */
export function killContainer(name: string, leader: number): void {
  const kill = join(hierarchies().at(-1) ?? '', name, 'payload/cgroup.kill');
  if (existsSync(kill)) writeFileSync(kill, '1');
  else process.kill(leader, 'SIGKILL');
}

/** The container's own PID 1, as this machine numbers it; undefined while there is none. */
export function firstProcess(name: string, container: ChildProcess): number | undefined {
  if (container.exitCode !== null) throw new Error(`systemd-nspawn ended with ${container.exitCode}`);
  const group = join(hierarchies().at(-1) ?? '', name, 'payload');
  const members = [join(group, 'init.scope/cgroup.procs'), join(group, 'cgroup.procs')]
    .filter((path) => existsSync(path))
    .flatMap((path) => readFileSync(path, 'utf8').split('\n').filter(Boolean));
  const first = members.find((pid) => /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
  return first === undefined ? undefined : Number(first);
}
