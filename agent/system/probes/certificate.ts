import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { TaskError } from '../../../shared/errors.ts';
import { networkError } from './network-error.ts';

/** Reads the certificate a server shows, also an expired or self-made one: `trusted` tells whether this machine would accept it. */
export async function certificate(
  { host, port, serverName }: { host: string; port: number; serverName?: string },
  signal: AbortSignal,
): Promise<{ expiresAt: number; subject: string; issuer: string; trusted: boolean }> {
  signal.throwIfAborted();
  const name = serverName ?? host;
  const subject = `TLS ${host} port ${port}`;
  const socket = connect({
    host,
    port,
    ...(isIP(name) === 0 ? { servername: name } : {}), // an address may not stand in SNI
    rejectUnauthorized: false,
  });
  const abort = () => socket.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('the connection was closed before TLS was ready')));
    });
    const shown = socket.getPeerX509Certificate();
    if (!shown) throw new TaskError('no_certificate', `${subject} shows no certificate`);
    return {
      expiresAt: shown.validToDate.getTime(),
      subject: oneLine(shown.subject),
      issuer: oneLine(shown.issuer),
      trusted: socket.authorized,
    };
  } catch (error) {
    throw networkError(subject, error, signal);
  } finally {
    signal.removeEventListener('abort', abort);
    socket.on('error', () => undefined); // one that comes after the verdict changes nothing
    socket.destroy();
  }
}

const oneLine = (name: string | undefined): string => (name ?? '').split('\n').join(', ').slice(0, 512);
