import { KeptSession } from './kept-session.ts';
import { Http } from './client/http.ts';
import { createClient } from './client/client.ts';
import type { Client } from './client/client.ts';
import type { ExitReason } from './exit-codes.ts';
import { Output } from './output/output.ts';
import { resolveSettings } from './settings.ts';
import type { GlobalFlags, Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** What a command works with. */
export interface Environment {
  terminal: Terminal;
  settings: Settings;
  client: Client;
  output: Output;
  /** How the program ends when the command returns; `ok` when never called. A number is the exit code of what ran on a device. */
  exit(reason: ExitReason | number): void;
}

/** Settles the settings and opens the client. Commands that need neither never call it. */
export type Open = () => Promise<Environment>;

export async function openEnvironment(
  terminal: Terminal,
  flags: GlobalFlags,
  exit: (reason: ExitReason | number) => void,
): Promise<Environment> {
  const settings = await resolveSettings(flags, terminal.env);
  const output = new Output({
    stdout: terminal.stdout,
    stderr: terminal.stderr,
    settings,
    env: terminal.env,
    color: flags.color,
    headers: flags.headers,
    quiet: flags.quiet === true,
  });
  for (const warning of settings.warnings) output.warn(warning);
  const { url, session } = settings;
  const { clock, signal } = terminal;
  const kept = session && new KeptSession({ ...session, url, clock, signal }, session.kept);
  const http = new Http({
    url,
    token: kept === undefined ? settings.token : () => kept.token(),
    // A token acts where it was made, whatever the settings say.
    organization: kept && settings.organization,
    clock,
    signal,
    onRetry: (reason) => {
      if (!output.isJson) output.say(`${reason}; trying again`);
    },
  });
  return { terminal, settings, client: createClient(http, settings.organization), output, exit };
}
