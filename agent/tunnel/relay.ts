import { TaskError } from '../../shared/errors.ts';
import { type MuxStream, StreamReset } from '../../shared/node/mux/mux-stream.ts';

/**
 * Hands the bytes of a stream on to a stream of another session and back, at the pace of the slower one, until both are over. Each direction
 * ends by itself; what cuts one off cuts the other off, for the same reason. Rejects when `far` was refused.
 */
export async function relay(near: MuxStream, far: MuxStream): Promise<void> {
  const over = Promise.all([cutOffWith(near, far), cutOffWith(far, near)]);
  near.pipe(far);
  far.pipe(near);
  await over;
  const { errored } = far;
  if (!(errored instanceof StreamReset)) return;
  if (errored.code === 'policy') throw new TaskError('policy', errored.message);
  if (errored.code === 'refused') throw new TaskError('refused', errored.message);
}

/** Settles when `one` is over; `other` goes with it unless `one` ended in good order, both ways. */
function cutOffWith(one: MuxStream, other: MuxStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onClose = (): void => {
    if (!one.readableEnded || !one.writableFinished) other.destroy(one.errored ?? undefined);
    resolve();
  };
  if (one.closed) onClose();
  else one.once('close', onClose);
  return promise;
}
