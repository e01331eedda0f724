import { createLogger, type Logger } from '../shared/node/logger.ts';
import { systemClock } from '../shared/node/system-clock.ts';
import type { AgentConfig } from './config.ts';
import { type Context, openContext } from './context.ts';
import { createAgentCore } from './core.ts';
import type { DataFolder } from './data-folder.ts';
import { serviceManagerOf } from '../shared/node/service-manager.ts';
import { renewWhenComplete } from './renew-when-complete.ts';
import { keepStatusFile } from './status-file.ts';
import { version } from './version.ts';
import { feedWatchdog } from './watchdog.ts';

export interface StartOptions {
  folder: DataFolder;
  config: AgentConfig;
  dummy: boolean;
}

/** How one life of the agent ended, and so what comes next. */
type LifeEnd = 'stopped' | 'restart' | 'reboot' | 'power_off';

/** A dummy machine is down for so long when it reboots. */
const dummyRebootMs = 500;

/** Runs the agent until it is told to stop. Returns the exit code. */
export async function start(options: StartOptions): Promise<number> {
  const log = createLogger({
    name: 'muster-agent',
    level: options.config.log_level,
    journal: process.env.JOURNAL_STREAM !== undefined,
  });
  for (;;) {
    const end = await liveOnce(options, log);
    switch (end) {
      case 'stopped':
        return 0;
      case 'power_off':
        log.info(
          { event: 'agent.powered_off' },
          'the dummy machine is off: starting the agent switches it on',
        );
        return 0;
      case 'restart':
        // A dummy machine lives on in this process; a real one without systemd gets a new process in its place.
        if (!options.dummy) replaceProcess();
        break;
      case 'reboot':
        await systemClock.sleep(dummyRebootMs);
        break;
    }
  }
}

async function liveOnce(options: StartOptions, log: Logger): Promise<LifeEnd> {
  const life = new AbortController();
  let end: LifeEnd = 'stopped';
  const endAs = (how: LifeEnd) => (): void => {
    end = how;
    // Whoever asked for it is told first that it was accepted.
    setImmediate(() => life.abort(new Error(how)));
  };
  const hooks = {
    onReboot: endAs('reboot'),
    onPowerOff: endAs('power_off'),
    onRestartAgent: endAs('restart'),
  };
  using context = await openContext({ ...options, log, hooks });
  await serve(context, { ...options, renew: hooks.onRestartAgent }, log, life);
  return end;
}

async function serve(
  context: Context,
  options: StartOptions & { renew: () => void },
  log: Logger,
  life: AbortController,
): Promise<void> {
  const { parts, identity, untilComplete } = context;
  const core = createAgentCore(parts);
  using _signals = onStopSignal(() => {
    log.info({ event: 'agent.stopping' }, 'stopping: running tasks may end, nothing new is taken');
    core
      .drain()
      .catch((error: unknown) => log.error({ err: error }, 'the agent failed while it stopped'))
      .finally(() => life.abort(new Error('stopped')));
  }, life);

  const fixed = {
    controller: identity.controller_url,
    device_id: identity.device_id,
    device: identity.name,
    organization: identity.organization,
    get key_fingerprint() {
      return context.keyFingerprint();
    },
    version,
    pid: process.pid,
  };
  log.info(
    {
      event: 'agent.started',
      version,
      device: identity.name,
      controller: identity.controller_url,
      dummy: options.dummy,
    },
    'agent started',
  );
  const manager = serviceManagerOf(process.env, (error) => log.warn({ err: error }, 'systemd was not told'));
  const statusEnd = new AbortController();
  const watchdog = feedWatchdog(
    { manager, clock: systemClock, log, isAlive: () => core.isAlive() },
    statusEnd.signal,
  );
  const status = keepStatusFile(
    { folder: options.folder, fixed, clock: systemClock, log, status: () => core.status() },
    statusEnd.signal,
  );
  const { handlers = {}, plugins } = parts;
  const { renew } = options;
  const renewal =
    untilComplete &&
    renewWhenComplete(
      { core, runnable: { handlers, plugins }, clock: systemClock, log, untilComplete, renew },
      life.signal,
    );
  try {
    await core.run(life.signal);
  } finally {
    statusEnd.abort();
    await Promise.all([status, watchdog, renewal]);
    log.info({ event: 'agent.stopped' }, 'agent stopped');
  }
}

/** The first signal drains; the second one ends the agent at once. */
function onStopSignal(drain: () => void, life: AbortController): Disposable {
  let asked = false;
  const stop = (): void => {
    if (asked) life.abort(new Error('stopped at once'));
    else drain();
    asked = true;
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  return {
    [Symbol.dispose]() {
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
    },
  };
}

/** The same command line in a new program, in the same process; does not return. */
function replaceProcess(): never {
  if (!process.execve)
    throw new Error('this Node.js cannot replace its process: run the agent under systemd');
  return process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...process.env,
  } as NodeJS.ProcessEnv);
}
