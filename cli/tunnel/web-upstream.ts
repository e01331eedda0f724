import { once } from 'node:events';
import { Agent } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { OperatorSession } from './operator-session.ts';

export interface WebTarget {
  host: string;
  port: number;
  tls: boolean;
  /** SHA-256 of the certificate, hex, lower case: the only one that is spoken to. Undefined with `tls`: whatever is told to `meet`. */
  fingerprint?: string;
}

/** The device showed another certificate than it did before. */
export class WrongCertificate extends Error {
  readonly fingerprint: string;

  constructor(expected: string, fingerprint: string) {
    super(`the device shows a certificate with the fingerprint ${fingerprint}, expected ${expected}`);
    this.fingerprint = fingerprint;
  }
}

/** Opens a connection to the device's web server inside the session, over TLS when it speaks that. */
export async function openUpstream(session: OperatorSession, target: WebTarget): Promise<Duplex> {
  const stream = session.stream({ service: 'tcp', host: target.host, port: target.port });
  if (!target.tls) return stream;
  // Self-signed as a rule: the fingerprint is what counts, and it is checked before a byte is sent.
  const socket = connectTls({ socket: stream, rejectUnauthorized: false, servername: nameOf(target.host) });
  await Promise.race([
    once(socket, 'secureConnect'),
    once(stream, 'close').then(() => Promise.reject(new Error('the connection was closed'))),
  ]);
  const fingerprint = fingerprintOf(socket.getPeerCertificate().fingerprint256);
  if (target.fingerprint !== undefined && target.fingerprint !== fingerprint) {
    socket.destroy();
    throw new WrongCertificate(target.fingerprint, fingerprint);
  }
  return socket;
}

/** What certificate the device shows now. */
export async function meetCertificate(session: OperatorSession, target: WebTarget): Promise<string> {
  const { fingerprint: _, ...open } = target;
  const socket = await openUpstream(session, open);
  const certificate =
    'getPeerCertificate' in socket
      ? (socket as ReturnType<typeof connectTls>).getPeerCertificate()
      : undefined;
  socket.destroy();
  return fingerprintOf(certificate?.fingerprint256 ?? '');
}

export const fingerprintOf = (text: string): string => text.replaceAll(':', '').toLowerCase();

/** TLS allows no addresses as names. */
const nameOf = (host: string): string => (/^[\d.:]+$/.test(host) ? '' : host);

/** Connections to one device that wait for the next request. */
export const maxKept = 16;

/** Keeps connections to the device open between requests, as a browser expects. */
export class UpstreamAgent extends Agent {
  readonly #open: () => Promise<Duplex>;

  constructor(open: () => Promise<Duplex>) {
    super({ keepAlive: true, maxFreeSockets: maxKept });
    this.#open = open;
  }

  override createConnection(
    _options: unknown,
    done: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    this.#open().then(
      (socket) => done(null, socket),
      (error: unknown) => done(error as Error, undefined as unknown as Duplex),
    );
    return undefined;
  }
}
