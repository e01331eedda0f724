import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { z } from 'zod';
import { parseJson } from '../../shared/parse.ts';
import { ChannelBytes } from './channel-bytes.ts';

/** One end of the connection between the agent and the root helper: typed messages in order, until it closes. */
export interface Channel<Sent> {
  /** What a session's programs read and write; nobody reads it when there is none. */
  readonly bytes: Duplex;
  /** Bytes that the other end has not taken yet. */
  readonly bufferedBytes: number;
  send(message: Sent): void;
  close(): void;
}

/** Makes a channel of a WebSocket. What does not parse closes it; `closed` is told once. */
export function openChannel<Sent, Received extends z.ZodType>(
  ws: WebSocket,
  received: Received,
  listener: { message(message: z.output<Received>): void; closed(reason: string): void },
): Channel<Sent> {
  let wrong: string | undefined;
  const bytes = new ChannelBytes(ws);
  ws.on('message', (data: RawData, isBinary: boolean) => {
    try {
      if (isBinary) {
        if (bytes.receive(data as Buffer)) return; // `nodebuffer` is the default of ws
        throw new Error('the other side sent bytes that nobody reads');
      }
      listener.message(parseJson('a message of the root helper’s socket', received, String(data)));
    } catch (error) {
      wrong = error instanceof Error ? error.message : String(error);
      ws.terminate();
    }
  });
  ws.on('error', (error) => {
    wrong ??= error.message;
  });
  ws.on('close', (_code, reason) => {
    const why = wrong ?? (reason.toString('utf8') || 'the other side closed');
    listener.closed(why);
    bytes.destroy(new Error(why));
  });
  return {
    bytes,
    get bufferedBytes() {
      return ws.bufferedAmount;
    },
    send(message) {
      if (ws.readyState === ws.OPEN) ws.send(JSON.stringify(message), () => undefined);
    },
    close: () => ws.close(),
  };
}
