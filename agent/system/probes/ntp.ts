import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { randomBytes } from 'node:crypto';
import { TaskError } from '../../../shared/errors.ts';
import { networkError } from './network-error.ts';
import { type Measurement, readSntpAnswer, sntpRequest } from './sntp-packet.ts';

/** One question to an SNTP server. The socket is connected, so that only the server's own datagrams arrive. */
export async function ntp(
  { host, port }: { host: string; port: number },
  signal: AbortSignal,
): Promise<Measurement> {
  signal.throwIfAborted();
  const subject = `NTP ${host} port ${port}`;
  try {
    const { address, family } = await lookup(host);
    signal.throwIfAborted();
    return await ask({ address, family, port }, signal);
  } catch (error) {
    if (error instanceof TaskError && error.code === 'bad_answer') {
      throw new TaskError('bad_answer', `${subject}: ${error.message}`, { cause: error });
    }
    throw networkError(subject, error, signal);
  }
}

async function ask(
  { address, family, port }: { address: string; family: number; port: number },
  signal: AbortSignal,
): Promise<Measurement> {
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  try {
    return await new Promise<Measurement>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      socket.on('error', reject);
      socket.once('connect', () => {
        const nonce = randomBytes(8);
        // The wall clock is what is measured; how long it took comes from the clock that does not jump.
        const sentAt = Date.now();
        const startedMs = performance.now();
        socket.once('message', (packet) => {
          const receivedAt = sentAt + (performance.now() - startedMs);
          try {
            resolve(readSntpAnswer(packet, nonce, { sentAt, receivedAt }));
          } catch (error) {
            reject(error);
          }
        });
        socket.send(sntpRequest(nonce));
      });
      socket.connect(port, address);
    });
  } finally {
    socket.close();
  }
}
