import { UnitCommand } from '../../shared/device-profile.ts';
import type { CheckContext } from './checks.ts';
import type { CommandPlace } from './machine.ts';

/** Why nobody could log in over SSH, or undefined: no method, or no account with a shell that is let in. */
export async function sshEntryProblem(
  place: CommandPlace,
  { machine, signal, workspace, scratch }: CheckContext,
): Promise<string | undefined> {
  if (!(await machine.hasProgram('sshd'))) return undefined;
  const options = { signal, ...(workspace ? { workspace } : {}), ...(scratch ? { scratch } : {}) };
  const run = (argv: string[]) => machine.run(UnitCommand.parse({ argv }), place, options);
  const settings = await run(['/usr/sbin/sshd', '-T']);
  if (settings.exitCode !== 0) return `sshd -T ended with ${settings.exitCode}`;
  const value = (name: string) => valuesOf(settings.stdout, name)[0];
  const methods = [
    'pubkeyauthentication',
    'passwordauthentication',
    'kbdinteractiveauthentication',
    'gssapiauthentication',
  ];
  if (!methods.some((name) => value(name) === 'yes')) return 'no method of authentication is allowed';

  const accounts = accountsOf((await run(['getent', 'passwd'])).stdout);
  const groups = groupsOf((await run(['getent', 'group'])).stdout);
  const lists = {
    allowUsers: valuesOf(settings.stdout, 'allowusers'),
    denyUsers: valuesOf(settings.stdout, 'denyusers'),
    allowGroups: valuesOf(settings.stdout, 'allowgroups'),
    denyGroups: valuesOf(settings.stdout, 'denygroups'),
  };
  const enters = accounts.some((account) => {
    if (account.uid === 0 && value('permitrootlogin') === 'no') return false;
    const names = groups.filter(({ id, members }) => id === account.group || members.includes(account.name));
    return isLetIn(
      account.name,
      names.map(({ name }) => name),
      lists,
    );
  });
  return enters
    ? undefined
    : 'AllowUsers, DenyUsers, AllowGroups, DenyGroups and PermitRootLogin leave no account with a shell';
}

interface Lists {
  allowUsers: string[];
  denyUsers: string[];
  allowGroups: string[];
  denyGroups: string[];
}

/** In the order of sshd_config(5). A user may be named with a host: `name@pattern`. */
function isLetIn(
  name: string,
  groups: string[],
  { allowUsers, denyUsers, allowGroups, denyGroups }: Lists,
): boolean {
  const named = (list: string[]) => list.some((one) => matches(one.split('@')[0] ?? '', name));
  const grouped = (list: string[]) => list.some((one) => groups.some((group) => matches(one, group)));
  if (denyUsers.some((one) => !one.includes('@') && matches(one, name))) return false;
  if (allowUsers.length > 0 && !named(allowUsers)) return false;
  if (grouped(denyGroups)) return false;
  return allowGroups.length === 0 || grouped(allowGroups);
}

function matches(pattern: string, name: string): boolean {
  const escaped = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`, 'u').test(name);
}

const valuesOf = (text: string, name: string): string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name} `))
    .flatMap((line) => line.slice(name.length).trim().split(/\s+/));

/** Accounts with a shell. */
const accountsOf = (text: string): { name: string; uid: number; group: string }[] =>
  text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([name, , , , , , shell = '']) => name && shell !== '' && !/\/(nologin|false|sync)$/.test(shell))
    .map(([name = '', , uid, group = '']) => ({ name, uid: Number(uid), group }));

const groupsOf = (text: string): { name: string; id: string; members: string[] }[] =>
  text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([name]) => name)
    .map(([name = '', , id = '', members = '']) => ({ name, id, members: members.split(',') }));
