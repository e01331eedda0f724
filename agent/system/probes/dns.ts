import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { TaskError } from '../../../shared/errors.ts';
import { networkError } from './network-error.ts';

/** No answer at all, in the words of c-ares. */
const sentences: Record<string, string> = {
  ENOTFOUND: 'the name does not exist',
  ENODATA: 'the name has no address',
  ESERVFAIL: 'the name server failed (SERVFAIL)',
  EREFUSED: 'the name server refused to answer',
  ETIMEOUT: 'the name server gave no answer',
  ECONNREFUSED: 'the name server cannot be reached',
  EBADRESP: 'the name server answered nonsense',
  EBADNAME: 'the name is not a valid DNS name',
};

/**
 * Asks a name server for A and AAAA: the chosen one (address, `address:port`, or a name), else those of the machine.
 * /etc/hosts is not looked at, because the check is about DNS.
 */
export async function dns(
  { name, server }: { name: string; server?: string },
  signal: AbortSignal,
): Promise<{ addresses: string[]; durationMs: number }> {
  signal.throwIfAborted();
  const resolver = new Resolver({ timeout: 2000, tries: 3 });
  if (server !== undefined) resolver.setServers([await serverAddress(server, signal)]);
  signal.throwIfAborted();

  const abort = () => resolver.cancel();
  signal.addEventListener('abort', abort, { once: true });
  const startedMs = performance.now();
  try {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length > 0) return { addresses, durationMs: performance.now() - startedMs };

    signal.throwIfAborted();
    throw dnsError(
      name,
      server,
      answers.map((answer) => (answer.status === 'rejected' ? answer.reason : undefined)),
    );
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function serverAddress(server: string, signal: AbortSignal): Promise<string> {
  if (isIP(server) === 6) return `[${server}]`;
  if (isIP(server) === 4 || /^\[[^\]]+\](:\d+)?$/.test(server) || /^[\d.]+:\d+$/.test(server)) return server;
  try {
    const { address, family } = await lookup(server);
    return family === 6 ? `[${address}]` : address;
  } catch (error) {
    throw networkError(`Name server ${server}`, error, signal);
  }
}

function dnsError(name: string, server: string | undefined, reasons: unknown[]): TaskError {
  const codes = reasons.map((reason) =>
    reason instanceof Error && 'code' in reason ? String(reason.code) : '',
  );
  // A failing server says more than a missing AAAA record beside it.
  const code = codes.find((one) => one !== 'ENODATA' && one !== '') ?? codes[0] ?? '';
  const at = server === undefined ? '' : ` at ${server}`;
  return new TaskError('not_resolved', `${name}${at}: ${sentences[code] ?? (code || 'no answer')}`, {
    cause: reasons[0],
  });
}
