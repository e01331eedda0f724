import type { Command } from '@commander-js/extra-typings';
import { readText } from '../run/script-text.ts';
import { given } from '../../arguments/given.ts';
import { usageError } from '../../cli-error.ts';
import { configPath, readConfigFile, writeConfigFile } from '../../config-file.ts';
import type { Profile } from '../../config-file.ts';
import { askSecret } from '../../prompt.ts';
import { checkZone, controllerUrl } from '../../settings.ts';
import type { GroupParts } from '../groups.ts';

export function addProfileSet(group: Command, { flags, terminal }: GroupParts): void {
  group
    .command('set')
    .description('Make or change a profile from --url, --org, --format, --timezone and a token')
    .argument('<name>', 'name of the profile')
    .option('--timezone <zone>', 'zone for times, such as Europe/Berlin')
    .option('--token-stdin', 'read the token from standard input')
    .option('--ask-token', 'ask for the token on the terminal')
    .option('--no-token', 'forget the token')
    .action(async (name, options) => {
      if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name))
        throw usageError(`${name} is not a name of plain characters`);
      const { url, org, format, json } = flags();
      const path = configPath(terminal.env);
      const config = await readConfigFile(path);
      const before = config.profiles[name] ?? {};
      const changes: Profile = given({
        url: url === undefined ? undefined : controllerUrl(url),
        organization: org,
        format: json ? 'json' : format,
        timezone: options.timezone === undefined ? undefined : checkZone(options.timezone),
        token: await newToken(options, { ...before, ...given({ url }) }),
      });
      const profile = { ...before, ...changes };
      if (!options.token) delete profile.token;
      config.profiles[name] = profile;
      config.current ??= name;
      await writeConfigFile(path, config);
      terminal.stderr.write(
        `Profile ${name} is kept in ${path}${config.current === name ? ' and is in use' : ''}\n`,
      );
    });

  interface TokenOptions {
    tokenStdin?: true | undefined;
    askToken?: true | undefined;
    token: boolean;
  }

  /** From standard input, or by asking when the profile has none; never from the command line, which others can read. */
  async function newToken(options: TokenOptions, profile: Profile): Promise<string | undefined> {
    if (options.tokenStdin) {
      const token = (await readText('-', terminal.stdin)).trim();
      if (token === '' || /\s/.test(token)) throw usageError('expected one token on standard input');
      return token;
    }
    if (!options.token) return undefined;
    const isWanted = options.askToken || profile.token === undefined;
    return isWanted
      ? await askSecret(terminal, `Token for ${profile.url ?? 'the controller'} (empty: none)`)
      : undefined;
  }
}
