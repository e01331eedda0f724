import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { TaskError } from '../../shared/errors.ts';
import { findInPath } from './program.ts';
import { runTool } from './tool.ts';

export interface User {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/** The user of this process; a number without a name (containers) is its own name. */
export function ownUser(): User {
  const uid = process.getuid?.() ?? 0;
  try {
    const { username, gid, homedir } = userInfo();
    return { name: username, uid, gid, home: homedir };
  } catch {
    return { name: String(uid), uid, gid: process.getgid?.() ?? uid, home: '/' };
  }
}

/** Looks a user up in /etc/passwd, then in whatever else the machine asks for users (LDAP and the like). */
export async function findUser(name: string): Promise<User> {
  const local = parsePasswd(await readFile('/etc/passwd', 'utf8').catch(() => ''), name);
  if (local) return local;
  const end = await runTool('getent', ['passwd', name], { timeoutMs: 10_000 });
  const found = parsePasswd(end?.exitCode === 0 ? end.stdout : '', name);
  if (found) return found;
  throw new TaskError('user_unknown', `The machine has no user ${name}`);
}

/** Finds the user and refuses if this process may not act as that user. */
export async function permittedUser(name: string | undefined): Promise<User> {
  const own = ownUser();
  if (name === undefined || name === own.name) return own;
  const user = await findUser(name);
  if (own.uid !== 0 && own.uid !== user.uid) {
    throw new TaskError(
      'not_permitted',
      `The agent runs as ${own.name} and may not run anything as ${name}: only root can switch users`,
    );
  }
  return user;
}

/** What to put before a command so that it runs as `user`, with all groups of that user. Empty when it does so already. */
export async function userSwitch(user: User, path: string): Promise<string[]> {
  if (user.uid === process.getuid?.()) return [];
  const setpriv = await findInPath('setpriv', path);
  if (setpriv) {
    return [setpriv, `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--'];
  }
  const runuser = await findInPath('runuser', path);
  if (runuser) return [runuser, '-u', user.name, '--'];
  throw new TaskError(
    'not_permitted',
    `Nothing can run as ${user.name}: this machine has neither setpriv nor runuser`,
  );
}

function parsePasswd(text: string, name: string): User | undefined {
  for (const line of text.split('\n')) {
    const [user, , uid, gid, , home] = line.split(':');
    if (user === name && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? '')) {
      return { name, uid: Number(uid), gid: Number(gid), home: home || '/' };
    }
  }
  return undefined;
}
