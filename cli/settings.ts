import { readFile } from 'node:fs/promises';
import { CliError, usageError } from './cli-error.ts';
import { configPath, isReadableByOthers, readConfigFile } from './config-file.ts';
import type { ConfigFile, Profile } from './config-file.ts';

export const formats = ['table', 'simple', 'detailed', 'json'] as const;
export type Format = (typeof formats)[number];

/** Global options as they came from the command line. */
export interface GlobalFlags {
  url?: string | undefined;
  tokenFile?: string | undefined;
  profile?: string | undefined;
  org?: string | undefined;
  format?: Format | undefined;
  json?: true | undefined;
  quiet?: true | undefined;
  headers: boolean;
  color: boolean;
}

/** Where to go, as whom, and how to show it: flag, else environment, else profile, else default. */
export interface Settings {
  url: string;
  token: string | undefined;
  /** The profile whose session stands in for a token, when there is no other. */
  session: { path: string; profile: string; kept: Profile } | undefined;
  organization: string;
  /** Undefined: each command’s own (lists are tables, single things detailed). */
  format: Format | undefined;
  /** IANA zone for times that are shown and for `--at`. */
  zone: string;
  warnings: string[];
}

type Environment = Record<string, string | undefined>;

export async function resolveSettings(flags: GlobalFlags, env: Environment): Promise<Settings> {
  const path = configPath(env);
  const config = await readConfigFile(path);
  const named = flags.profile ?? (env.MUSTER_PROFILE || undefined);
  const profile = chosenProfile(config, named, path);
  const url = controllerUrl(
    flags.url ?? (env.MUSTER_URL || undefined) ?? profile.url ?? 'http://127.0.0.1:7443',
  );
  const { token, isSession, warnings } = await findToken({ flags, env, profile, url, path });
  const session = isSession ? { path, profile: named ?? config.current ?? '', kept: profile } : undefined;
  if ((token !== undefined || session !== undefined) && isPlainAndRemote(url)) {
    warnings.push(`the token travels unencrypted to ${url}; use https`);
  }
  return {
    url,
    token,
    session,
    organization: flags.org ?? (env.MUSTER_ORGANIZATION || undefined) ?? profile.organization ?? 'default',
    format: formatOf(flags, env, profile),
    zone: checkZone(
      env.MUSTER_TIMEZONE || profile.timezone || Intl.DateTimeFormat().resolvedOptions().timeZone,
    ),
    warnings,
  };
}

/** `http(s)://host[:port][/prefix]`, without a slash at the end. */
export function controllerUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.search || url.hash) {
    throw usageError(`expected the controller’s address such as https://muster.example.org, got ${text}`);
  }
  if (url.username || url.password) throw usageError('a controller’s address carries no user or password');
  return url.href.replace(/\/+$/, '');
}

export function checkZone(zone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return zone;
  } catch {
    throw usageError(`expected a time zone such as Europe/Berlin or UTC, got ${zone}`);
  }
}

function chosenProfile(config: ConfigFile, name: string | undefined, path: string): Profile {
  const chosen = name ?? config.current;
  if (chosen === undefined) return {};
  const profile = config.profiles[chosen];
  if (profile !== undefined) return profile;
  const known = Object.keys(config.profiles);
  throw usageError(
    `there is no profile ${chosen} in ${path}`,
    known.length > 0
      ? `Known profiles: ${known.join(', ')}`
      : `Make it with: muster profile set ${chosen} --url URL`,
  );
}

function formatOf(flags: GlobalFlags, env: Environment, profile: Profile): Format | undefined {
  const asked = flags.json
    ? 'json'
    : (flags.format ?? (env.MUSTER_OUTPUT_FORMAT || undefined) ?? profile.format);
  if (asked === undefined) return undefined;
  const format = formats.find((one) => one === asked);
  if (format === undefined) throw usageError(`expected a format of ${formats.join(', ')}, got ${asked}`);
  return format;
}

interface TokenSearch {
  flags: GlobalFlags;
  env: Environment;
  profile: Profile;
  url: string;
  path: string;
}

/** A profile’s token goes to that profile’s own address only. */
async function findToken({ flags, env, profile, url, path }: TokenSearch): Promise<{
  token: string | undefined;
  isSession?: boolean;
  warnings: string[];
}> {
  const warnings: string[] = [];
  if (flags.tokenFile !== undefined) {
    if (await isReadableByOthers(flags.tokenFile))
      warnings.push(`${flags.tokenFile} is readable by other users`);
    return { token: await tokenIn(flags.tokenFile), warnings };
  }
  if (env.MUSTER_TOKEN) return { token: env.MUSTER_TOKEN.trim(), warnings };
  const isSession = profile.session_refresh !== undefined;
  if (profile.token === undefined && !isSession) return { token: undefined, warnings };
  if (await isReadableByOthers(path)) warnings.push(`${path} holds a token and is readable by other users`);
  if (profile.url !== undefined && controllerUrl(profile.url) !== url) {
    warnings.push(`the profile’s token belongs to ${profile.url} and is not sent to ${url}`);
    return { token: undefined, warnings };
  }
  return isSession ? { token: undefined, isSession, warnings } : { token: profile.token, warnings };
}

async function tokenIn(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new CliError('usage', `cannot read the token file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function isPlainAndRemote(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !/^(localhost|127\..*|\[::1\])$/.test(hostname);
}
