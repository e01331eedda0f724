import { once } from 'node:events';
import { AppError } from '../shared/errors.ts';
import { serviceManagerOf } from '../shared/node/service-manager.ts';
import { type ControllerConfig, hostPortOf, isLoopback } from './config.ts';
import { type ControllerContext, createContext } from './context.ts';

/** Connections that wait to be accepted: a fleet returns at once, and who finds no room waits for seconds. The kernel caps it at net.core.somaxconn. */
const backlog = 4096;

/** How long a polite stop may take before the process ends anyway. */
const stopWithinMs = 10_000;

/** Serves until SIGTERM or SIGINT; returns the exit code. */
export async function startController(
  self: NodeJS.Process,
  data: string,
  config: ControllerConfig,
): Promise<number> {
  const { host, port } = hostPortOf(config.listen);
  refusePlainHttp(config, host);
  await using context = await createContext(data, config);
  const { api, core, log } = context;
  const stop = new AbortController();
  const running = core.run(stop.signal);

  const listening = api.listen({ host, port, backlog }).catch((cause: unknown) => {
    throw listenError(config.listen, cause);
  });
  const failed = running.then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    const address = await listening;
    self.stdout.write(`muster-controller listens on ${address} (public URL ${context.publicUrl})\n`);
    const manager = serviceManagerOf(self.env, (error) => log.warn({ err: error }, 'systemd was not told'));
    await manager.ready(`listens on ${address}`);
    const signalled = await Promise.race([stopSignal(self), failed]);
    if (typeof signalled !== 'string') {
      log.fatal({ err: signalled }, 'a loop of the controller failed');
      return 1;
    }
    log.info({ signal: signalled }, 'stopping');
    return 0;
  } finally {
    setTimeout(() => self.exit(1), stopWithinMs).unref();
    await stopAll(context, stop, failed);
  }
}

/** Takes no more links and requests, and lets what runs end: whatever is cut off is safe to resend. */
async function stopAll(
  { api, stopLinks }: ControllerContext,
  stop: AbortController,
  ended: Promise<unknown>,
): Promise<void> {
  stopLinks();
  stop.abort();
  await Promise.all([ended, api.close()]);
}

async function stopSignal(self: NodeJS.Process): Promise<string> {
  const over = new AbortController();
  const wait = async (name: 'SIGTERM' | 'SIGINT') => {
    await once(self, name, { signal: over.signal });
    return name;
  };
  try {
    return await Promise.any([wait('SIGTERM'), wait('SIGINT')]);
  } finally {
    over.abort();
  }
}

function refusePlainHttp(config: ControllerConfig, host: string): void {
  if (isLoopback(host) || config.allow_plain_http || config.tls_cert_file !== undefined) return;
  throw new AppError(
    'bad_request',
    `Plain HTTP is served on loopback only, and ${config.listen} is not: set tls_cert_file and tls_key_file, or allow_plain_http: true behind a proxy that speaks TLS`,
  );
}

function listenError(listen: string, cause: unknown): unknown {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'EADDRINUSE')
    return new AppError('conflict', `${listen} is taken: another program listens there`, { cause });
  if (code === 'EACCES')
    return new AppError('forbidden', `${listen} may not be used by this user`, { cause });
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new AppError('bad_request', `${listen} is not an address of this machine`, { cause });
  }
  return cause;
}
