import { TaskError } from '../../shared/errors.ts';
import { findInPath } from './program.ts';
import type { Confinement } from './system.ts';
import type { User } from './user.ts';

/** Where a confined command finds itself: a file system of its own in memory, gone when the command is. */
export const workFolder = '/run/muster-plugin';

/** Where everybody may write. What is left there fills disk or memory of the device, and another plugin of the same user may believe it. */
const everybodys = ['/tmp', '/var/tmp', '/dev/shm', '/dev/mqueue', '/run/lock'];

const mebibyte = 1024 * 1024;

/**
 * First process of the namespace: when it ends, the kernel ends every other one, also those that made a session of their own. It stays
 * beside the program, because signals that are not handled do not reach a first process.
 */
const first = `umask 077
for one in ${everybodys.join(' ')}; do
  [ ! -d $one ] || { mount --bind $one $one && mount -o remount,bind,ro $one; } || exit 125
done
mkdir -p ${workFolder} && mount -t tmpfs -o "$1" muster-plugin ${workFolder} && cd ${workFolder} || exit 125
shift
umask 022
"$@"
exit $?`;

/**
 * What to put before a command so that it runs as `user`, without capabilities or a way to gain any, within limits, and takes all that it
 * started along when it ends. Tools of util-linux; only root can do it.
 */
export async function confine(user: User, limits: Confinement, path: string): Promise<string[]> {
  requireRoot();
  const tools = ['unshare', 'prlimit', 'setpriv', 'sh'];
  const found = await Promise.all(tools.map((tool) => findInPath(tool, path)));
  const missing = tools.filter((_tool, index) => found[index] === undefined);
  if (missing.length > 0) {
    throw new TaskError(
      'not_permitted',
      `This machine has no ${missing.join(', no ')}: nothing can be confined`,
    );
  }
  const [unshare, prlimit, setpriv, sh] = found as [string, string, string, string];
  const size = `size=${limits.fileMb}M,mode=0700,uid=${user.uid},gid=${user.gid},nosuid,nodev`;
  return [
    // Ends when this process does, however that ends, and all below with it.
    ...[setpriv, '--pdeathsig=KILL', '--'],
    ...[unshare, '--mount', '--ipc', '--pid', '--fork', '--kill-child=KILL', '--mount-proc', '--'],
    ...[sh, '-c', first, 'first'],
    ...[size, prlimit, ...bounds(limits), '--'],
    ...[setpriv, `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups'],
    // `ping` has one in its file, and cannot be started where nobody can have it; not every kernel keeps files from giving others.
    ...['--no-new-privs', '--bounding-set=-all,+net_raw', '--inh-caps=-all', '--'],
  ];
}

/** Throws `TaskError` where nothing can be confined. */
export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new TaskError(
    'not_permitted',
    'Plugins are run within limits that only root can set: this agent does not run as root, and has no root helper',
  );
}

function bounds({ memoryMb, processes, openFiles, fileMb, cpuSeconds }: Confinement): string[] {
  return [
    `--as=${memoryMb * mebibyte}`,
    `--nproc=${processes}`,
    `--nofile=${openFiles}`,
    `--fsize=${fileMb * mebibyte}`,
    // A signal that can be told from others, and one that cannot be ignored a second later.
    `--cpu=${cpuSeconds}:${cpuSeconds + 1}`,
    '--core=0',
  ];
}
