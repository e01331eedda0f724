import type { SessionTokens } from '../../../shared/api/accounts.ts';
import { given } from '../../arguments/given.ts';
import { usageError } from '../../cli-error.ts';
import { Http } from '../../client/http.ts';
import { loginRoutes } from '../../client/login.ts';
import { configPath, readConfigFile, writeConfigFile } from '../../config-file.ts';
import type { ConfigFile } from '../../config-file.ts';
import { lockFile, sessionOf } from '../../kept-session.ts';
import { askSecret, askText } from '../../prompt.ts';
import { controllerUrl, resolveSettings } from '../../settings.ts';
import type { Terminal } from '../../terminal.ts';
import type { GroupParts } from '../groups.ts';
import { logInByBrowser, logInByDevice, type OidcLoginParts } from './oidc-login.ts';
import { standardInput } from '../variable/standard-input.ts';

export function addLogin({ command, flags, terminal }: GroupParts): void {
  command
    .command('login')
    .description('Begin a session; the profile keeps it')
    .option('--email <email>', 'your e-mail; asked for when absent')
    .option('--password-stdin', 'read the password from standard input')
    .option('--oidc', 'by the identity provider instead, in a browser on this machine')
    .option('--device', 'with --oidc: in a browser anywhere')
    .action(async (options) => {
      const { url, warnings } = await resolveSettings(flags(), terminal.env);
      for (const warning of warnings) terminal.stderr.write(`muster: ${warning}\n`);
      const path = configPath(terminal.env);
      const name = await profileFor(url, path);
      const organization = flags().org ?? (terminal.env.MUSTER_ORGANIZATION || undefined);
      const { clock, signal } = terminal;
      const http = new Http({ url, token: undefined, clock, signal });
      const answer = await logIn({ terminal, http, organization }, options);

      await using _ = await lockFile(`${path}.lock`, terminal);
      const config = await readConfigFile(path);
      const session = sessionOf(answer, clock.now());
      config.profiles[name] = {
        ...config.profiles[name],
        url,
        organization: answer.organization,
        ...session,
      };
      config.current ??= name;
      await writeConfigFile(path, config);
      terminal.stderr.write(
        `Logged in as ${answer.email} (${answer.role} in ${answer.organization}); profile ${name} keeps it\n`,
      );
      if (terminal.env.MUSTER_TOKEN) terminal.stderr.write('muster: MUSTER_TOKEN is set and goes first\n');
    });

  /** What else the profile holds belongs to its own address. */
  async function profileFor(url: string, path: string): Promise<string> {
    const config = await readConfigFile(path);
    const name = profileName({ flags: flags(), env: terminal.env }, config);
    const before = config.profiles[name]?.url;
    if (before === undefined || controllerUrl(before) === url) return name;
    throw usageError(
      `profile ${name} is for ${before}, and this session is for ${url}`,
      `Make another: muster profile set NAME --url ${url}`,
    );
  }
}

interface LoginOptions {
  email?: string | undefined;
  passwordStdin?: true | undefined;
  oidc?: true | undefined;
  device?: true | undefined;
}

async function logIn(parts: OidcLoginParts, options: LoginOptions): Promise<SessionTokens> {
  const { terminal, http, organization } = parts;
  if (!options.oidc) {
    if (options.device) throw usageError('--device needs --oidc');
    const wish = await credentials(terminal, options);
    return loginRoutes(http).login({ ...wish, ...given({ organization }) });
  }
  if (options.email !== undefined || options.passwordStdin) {
    throw usageError(
      '--oidc takes neither --email nor --password-stdin: the identity provider asks for both',
    );
  }
  return options.device ? logInByDevice(parts) : logInByBrowser(parts);
}

async function credentials(
  terminal: Terminal,
  options: LoginOptions,
): Promise<{ email: string; password: string }> {
  const email = options.email ?? (await askText(terminal, 'E-mail'));
  const password = options.passwordStdin
    ? await standardInput(terminal.stdin)
    : email && (await askSecret(terminal, `Password of ${email}`));
  if (email && password) return { email, password };
  throw usageError('without a terminal it needs --email EMAIL and --password-stdin');
}

export function addLogout({ command, flags, terminal }: GroupParts): void {
  command
    .command('logout')
    .description('End the session that the profile keeps')
    .action(async () => {
      const path = configPath(terminal.env);
      await using _ = await lockFile(`${path}.lock`, terminal);
      const config = await readConfigFile(path);
      const name = profileName({ flags: flags(), env: terminal.env }, config);
      const { session_access, session_refresh, session_expires, ...others } = config.profiles[name] ?? {};
      if (session_refresh === undefined || others.url === undefined) {
        terminal.stderr.write('There is no session\n');
        return;
      }
      // Forgotten in any case; the controller ends it when it can be reached.
      config.profiles[name] = others;
      await writeConfigFile(path, config);
      const { clock, signal } = terminal;
      const http = new Http({ url: controllerUrl(others.url), token: undefined, clock, signal });
      await loginRoutes(http).logout(session_refresh);
      terminal.stderr.write(`Logged out of ${others.url}\n`);
    });
}

const profileName = (
  { flags, env }: { flags: { profile?: string | undefined }; env: Record<string, string | undefined> },
  { current }: ConfigFile,
): string => flags.profile ?? (env.MUSTER_PROFILE || undefined) ?? current ?? 'default';
