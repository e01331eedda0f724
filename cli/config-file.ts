import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CliError, usageError } from './cli-error.ts';

/** What a profile may say; everything else comes from flags, environment or defaults. */
export const profileKeys = [
  'url',
  'organization',
  'token',
  'format',
  'timezone',
  'session_access',
  'session_refresh',
  'session_expires',
] as const;
export type Profile = Partial<Record<(typeof profileKeys)[number], string>>;

export interface ConfigFile {
  /** The profile used when none is named. */
  current: string | undefined;
  profiles: Record<string, Profile>;
}

export const configPath = (env: Record<string, string | undefined>): string =>
  join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'muster', 'config.yaml');

/** The file’s content; empty when there is no file. Unknown keys are errors: a misspelt key must not be silently ignored. */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return { current: undefined, profiles: {} };
    throw new CliError('failed', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  const { parse } = await import('yaml');
  try {
    return checked(path, parse(text, { schema: 'core' }) ?? {});
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw usageError(`${path} is not valid YAML: ${(error as Error).message}`);
  }
}

/** Replaces the file in one step; readable by its owner only, because it may hold tokens. */
export async function writeConfigFile(path: string, config: ConfigFile): Promise<void> {
  const { stringify } = await import('yaml');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${process.pid}.new`;
  await using file = await open(fresh, 'w', 0o600);
  await file.chmod(0o600);
  await file.writeFile(stringify({ current: config.current, profiles: config.profiles }));
  await file.sync();
  await rename(fresh, path);
}

/** True when others than the owner can read a file that exists. */
export async function isReadableByOthers(path: string): Promise<boolean> {
  try {
    return ((await stat(path)).mode & 0o077) !== 0;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

function checked(path: string, value: unknown): ConfigFile {
  const file = mapping(path, 'the file', value);
  refuseOthers(path, 'the file', file, ['current', 'profiles']);
  if (file.current !== undefined && file.current !== null && typeof file.current !== 'string') {
    throw usageError(`${path}: expected current to name a profile`);
  }
  const profiles: Record<string, Profile> = {};
  for (const [name, raw] of Object.entries(mapping(path, 'profiles', file.profiles ?? {}))) {
    const profile = mapping(path, `profile ${name}`, raw ?? {});
    refuseOthers(path, `profile ${name}`, profile, profileKeys);
    profiles[name] = Object.fromEntries(
      Object.entries(profile).map(([key, text]) => {
        if (typeof text !== 'string')
          throw usageError(`${path}: expected ${key} of profile ${name} to be text`);
        return [key, text];
      }),
    );
  }
  return { current: file.current ?? undefined, profiles };
}

function mapping(path: string, what: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw usageError(`${path}: expected ${what} to be a mapping`);
}

function refuseOthers(path: string, what: string, value: object, allowed: readonly string[]): void {
  const unknown = Object.keys(value).find((key) => !allowed.includes(key));
  if (unknown === undefined) return;
  throw usageError(`${path}: ${what} has the unknown key ${unknown}; known are ${allowed.join(', ')}`);
}
