import { mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SessionTokens } from '../shared/api/accounts.ts';
import type { Clock } from '../shared/clock.ts';
import { CliError } from './cli-error.ts';
import { Http } from './client/http.ts';
import { loginRoutes } from './client/login.ts';
import { readConfigFile, writeConfigFile } from './config-file.ts';
import type { Profile } from './config-file.ts';

/** Refreshed this long before it expires: the request it goes with takes a while. */
const marginMs = 30_000;
const lockWaitMs = 100;
/** Longer than a refresh may take: whoever held the lock is gone. */
const staleLockMs = 60_000;

/** What a profile says of a session; `session_expires` is about the access token. */
export const sessionOf = (answer: SessionTokens, now: number): Profile => ({
  session_access: answer.access_token,
  session_refresh: answer.refresh_token,
  session_expires: new Date(now + answer.expires_in * 1000).toISOString(),
});

export interface KeptSessionParts {
  /** The profile file, and the profile in it. */
  path: string;
  profile: string;
  url: string;
  clock: Clock;
  signal: AbortSignal;
}

/** The session of a profile. A refresh token is good once, so one process at a time refreshes, and the others read what it wrote. */
export class KeptSession {
  readonly #parts: KeptSessionParts;
  #kept: Profile;
  #refreshing: Promise<string> | undefined;

  constructor(parts: KeptSessionParts, kept: Profile) {
    this.#parts = parts;
    this.#kept = kept;
  }

  /** An access token that is good for a while. */
  async token(): Promise<string> {
    const { session_access: token } = this.#kept;
    if (token !== undefined && this.#isFresh(this.#kept)) return token;
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  #isFresh({ session_expires: expires = '' }: Profile): boolean {
    return Date.parse(expires) - this.#parts.clock.now() > marginMs;
  }

  async #refresh(): Promise<string> {
    const { path, profile: name, url, clock, signal } = this.#parts;
    await using _ = await lockFile(`${path}.lock`, this.#parts);
    const config = await readConfigFile(path);
    this.#kept = config.profiles[name] ?? {};
    const { session_access: known, session_refresh: refreshToken } = this.#kept;
    if (known !== undefined && this.#isFresh(this.#kept)) return known;
    if (refreshToken === undefined) throw over();

    const http = new Http({ url, token: undefined, clock, signal });
    const answer = await loginRoutes(http)
      .refresh(refreshToken)
      .catch((error: unknown) => {
        throw error instanceof CliError && error.exit === 'forbidden' ? over(error) : error;
      });
    this.#kept = { ...this.#kept, ...sessionOf(answer, clock.now()) };
    config.profiles[name] = this.#kept;
    await writeConfigFile(path, config);
    return answer.access_token;
  }
}

const over = (cause?: unknown): CliError =>
  new CliError('forbidden', 'the session is over', {
    code: 'not_authenticated',
    hint: 'Begin a new one with: muster auth login',
    cause,
  });

/** Held until disposed; one that a process left behind is taken over. */
export async function lockFile(
  path: string,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  for (;;) {
    try {
      await (await open(path, 'wx', 0o600)).close();
      return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const made = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
    if (made !== undefined && Date.now() - made > staleLockMs) await rm(path, { force: true });
    await clock.sleep(lockWaitMs, signal);
  }
}
