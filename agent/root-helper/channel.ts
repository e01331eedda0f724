import type { RawData, WebSocket } from 'ws';
import type { z } from 'zod';
import { parseJson } from '../../shared/parse.ts';

/** One end of the connection between the agent and the root helper: typed messages in order, until it closes. */
export interface Channel<Sent> {
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
  ws.on('message', (data: RawData) => {
    try {
      listener.message(parseJson('a message of the root helper’s socket', received, String(data)));
    } catch (error) {
      wrong = error instanceof Error ? error.message : String(error);
      ws.terminate();
    }
  });
  ws.on('error', (error) => {
    wrong ??= error.message;
  });
  ws.on('close', (_code, reason) =>
    listener.closed(wrong ?? (reason.toString('utf8') || 'the other side closed')),
  );
  return {
    get bufferedBytes() {
      return ws.bufferedAmount;
    },
    send(message) {
      if (ws.readyState === ws.OPEN) ws.send(JSON.stringify(message), () => undefined);
    },
    close: () => ws.close(),
  };
}
