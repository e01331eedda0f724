import { usageError } from '../cli-error.ts';
import { configPath, readConfigFile, writeConfigFile } from '../config-file.ts';
import type { Profile } from '../config-file.ts';
import { Output } from '../output/output.ts';
import type { View } from '../output/view.ts';
import type { GroupParts } from './groups.ts';
import { addProfileSet } from './profile/set.ts';

type Secrets = 'token' | 'session_access' | 'session_refresh' | 'session_expires';

interface ShownProfile extends Omit<Profile, Secrets> {
  name: string;
  current: boolean;
  has_token: boolean;
  has_session?: boolean;
}

const profileView: View<ShownProfile> = {
  noun: 'profiles',
  key: ({ name }) => name,
  columns: [
    { head: '', value: ({ current }) => (current ? '*' : '') },
    { head: 'NAME', value: ({ name }) => name },
    { head: 'URL', value: ({ url }) => url },
    { head: 'ORGANIZATION', value: ({ organization }) => organization },
    { head: 'TOKEN', value: tokenText },
    { head: 'FORMAT', value: ({ format }) => format },
    { head: 'TIMEZONE', value: ({ timezone }) => timezone },
  ],
  fields: (profile) => [
    ['Name', profile.name],
    ['In use', profile.current ? 'yes' : ''],
    ['URL', profile.url],
    ['Organization', profile.organization],
    ['Token', tokenText(profile)],
    ['Format', profile.format],
    ['Time zone', profile.timezone],
  ],
};

function tokenText({ has_token, has_session }: ShownProfile): string {
  if (has_session) return 'session';
  return has_token ? 'kept' : '';
}

export function addProfileCommands(parts: GroupParts): void {
  addList(parts);
  addProfileSet(parts.command, parts);
  addUse(parts);
  addRemove(parts);
}

function addList({ command, flags, terminal }: GroupParts): void {
  command
    .command('list')
    .description('List profiles; tokens are not shown')
    .action(async () => {
      const { profiles, current } = await readConfigFile(configPath(terminal.env));
      const { format, json, color, headers, quiet } = flags();
      const output = new Output({
        stdout: terminal.stdout,
        stderr: terminal.stderr,
        env: terminal.env,
        settings: { format: json ? 'json' : format, zone: 'UTC' },
        color,
        headers,
        quiet: quiet === true,
      });
      const shown = Object.entries(profiles).map(
        ([name, { token, session_access, session_refresh, session_expires, ...others }]) => ({
          name,
          current: name === current,
          has_token: token !== undefined,
          ...(session_refresh !== undefined && { has_session: true }),
          ...others,
        }),
      );
      output.list(shown, profileView);
    });
}

function addUse({ command, terminal }: GroupParts): void {
  command
    .command('use')
    .description('Use a profile from now on')
    .argument('<name>', 'name of the profile')
    .action(async (name) => {
      const path = configPath(terminal.env);
      const config = await readConfigFile(path);
      requireProfile(config.profiles, name);
      await writeConfigFile(path, { ...config, current: name });
      terminal.stderr.write(`Profile ${name} is in use\n`);
    });
}

function addRemove({ command, terminal }: GroupParts): void {
  command
    .command('remove')
    .description('Forget a profile and its token')
    .argument('<name>', 'name of the profile')
    .action(async (name) => {
      const path = configPath(terminal.env);
      const { current, profiles } = await readConfigFile(path);
      requireProfile(profiles, name);
      const { [name]: _, ...others } = profiles;
      await writeConfigFile(path, { current: current === name ? undefined : current, profiles: others });
      terminal.stderr.write(`Profile ${name} is forgotten\n`);
    });
}

function requireProfile(profiles: Record<string, Profile>, name: string): void {
  if (Object.hasOwn(profiles, name)) return;
  const known = Object.keys(profiles).join(', ') || 'none';
  throw usageError(`there is no profile ${name}`, `Known profiles: ${known}`);
}
