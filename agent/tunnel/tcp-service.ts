import { joinSocket } from '../../shared/node/mux/join-socket.ts';
import type { MuxStream } from '../../shared/node/mux/mux-stream.ts';
import type { Streams } from '../system/streams/streams.ts';

/** Joins a stream to a TCP connection; `signal` is the end of the session, which ends the stream too. */
export async function serveTcp(
  stream: MuxStream,
  target: { host: string; port: number },
  streams: Streams,
  signal: AbortSignal,
): Promise<void> {
  await joinSocket(await streams.connect(target, signal), stream);
}
