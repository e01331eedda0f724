import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What systemd is told of a service of Type=notify (sd_notify(3)). */
export interface ServiceManager {
  /** Milliseconds without `alive` after which the service is killed; undefined when nobody watches. */
  readonly watchdogMs: number | undefined;
  ready(status: string): Promise<void>;
  alive(): Promise<void>;
  stopping(): Promise<void>;
}

const notifyMs = 10_000;

/**
 * The service manager that started this process, or one that listens to nothing. Node.js cannot send datagrams to a unix socket, so the
 * program `systemd-notify` does: it needs NotifyAccess=all, since it is a child.
 */
export function serviceManagerOf(env: NodeJS.ProcessEnv, onError: (error: unknown) => void): ServiceManager {
  const watched = env['NOTIFY_SOCKET'] !== undefined;
  const micros = Number(env['WATCHDOG_USEC']);
  const run = promisify(execFile);
  const tell = async (...message: string[]): Promise<void> => {
    if (!watched) return;
    await run('systemd-notify', message, { timeout: notifyMs }).catch(onError);
  };
  return {
    watchdogMs: watched && micros > 0 ? micros / 1000 : undefined,
    ready: (status) => tell('--ready', `--status=${status}`),
    alive: () => tell('WATCHDOG=1'),
    stopping: () => tell('STOPPING=1'),
  };
}
