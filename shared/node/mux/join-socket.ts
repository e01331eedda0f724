import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** One of both connections was over before its time. */
class CutOff extends Error {}

/**
 * Joins a TCP connection to a stream until both are over; each direction ends by itself.
 *
 * What was cut off must not look complete: when the stream fails, the connection is reset, never ended, and the other way round. This is
 * why `pipeline` is not used: it closes the connection in good order before anybody can say that it must be a reset.
 */
export function joinSocket(socket: Socket, stream: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = 2;
    let isOver = false;
    const fail = (error: Error): void => {
      if (isOver) return;
      isOver = true;
      socket.resetAndDestroy();
      stream.destroy(error);
      reject(error);
    };
    for (const [from, to] of [
      [socket, stream],
      [stream, socket],
    ] as const) {
      from.on('data', (chunk: Buffer) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => from.resume());
      from.once('end', () => to.end());
      from.once('error', fail);
      from.once('close', () => {
        if (!from.readableEnded || !from.writableFinished)
          return fail(new CutOff('The connection was cut off'));
        left -= 1;
        if (left > 0 || isOver) return;
        isOver = true;
        resolve();
      });
    }
    const gone = [socket, stream].find((one) => one.destroyed);
    if (gone) fail(gone.errored ?? new CutOff('The connection was cut off'));
  });
}
