import { connect } from 'node:net';
import { networkError } from './network-error.ts';

/** Connects and closes at once. */
export async function tcp(
  { host, port }: { host: string; port: number },
  signal: AbortSignal,
): Promise<{ connectMs: number }> {
  signal.throwIfAborted();
  const startedMs = performance.now();
  const socket = connect({ host, port, signal });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return { connectMs: performance.now() - startedMs };
  } catch (error) {
    throw networkError(`TCP ${host} port ${port}`, error, signal);
  } finally {
    socket.on('error', () => undefined); // one that comes after the verdict changes nothing
    socket.destroy();
  }
}
