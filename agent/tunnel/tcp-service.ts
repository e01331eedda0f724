import { pipeline } from 'node:stream/promises';
import type { MuxStream } from '../../shared/node/mux/mux-stream.ts';
import type { Streams } from '../system/streams/streams.ts';

/** Joins a stream to a TCP connection. Each direction ends by itself; an error in one ends both. */
export async function serveTcp(
  stream: MuxStream,
  target: { host: string; port: number },
  streams: Streams,
  signal: AbortSignal,
): Promise<void> {
  const socket = await streams.connect(target, signal);
  try {
    await Promise.all([pipeline(stream, socket, { signal }), pipeline(socket, stream, { signal })]);
  } catch (error) {
    // What was cut off must not look complete to the target: a reset instead of an end.
    socket.resetAndDestroy();
    throw error;
  }
}
