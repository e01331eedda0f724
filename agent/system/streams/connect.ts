import { connect as dial, type Socket } from 'node:net';
import { TaskError } from '../../../shared/errors.ts';

const patienceMs = 10_000;

/** A new TCP connection. `allowHalfOpen`: an answer may come after the request's end. */
export function connect(target: { host: string; port: number }, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = dial({ ...target, allowHalfOpen: true, noDelay: true, timeout: patienceMs });
    const place = `${target.host}:${target.port}`;
    const fail = (error: Error): void => {
      settled();
      socket.destroy();
      reject(error);
    };
    const onError = (error: NodeJS.ErrnoException): void =>
      fail(
        new TaskError(
          'unreachable',
          `${place} cannot be reached from the device: ${error.code ?? error.message}`,
          { cause: error },
        ),
      );
    const onTimeout = (): void =>
      fail(new TaskError('unreachable', `${place} did not answer within ${patienceMs / 1000} s`));
    const onAbort = (): void => fail(signal.reason as Error);
    const settled = (): void => {
      socket.off('error', onError).off('timeout', onTimeout);
      signal.removeEventListener('abort', onAbort);
      socket.setTimeout(0);
    };
    socket.once('error', onError).once('timeout', onTimeout);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => {
      settled();
      resolve(socket);
    });
    if (signal.aborted) onAbort();
  });
}
