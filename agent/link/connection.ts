import type { Clock } from '../../shared/clock.ts';
import type { FrameSocket } from '../../shared/frame-socket.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { Down } from '../../shared/protocol/down.ts';
import { readFrame } from '../../shared/protocol/frame.ts';
import type { Hello, Welcome } from '../../shared/protocol/hello.ts';
import type { Up } from '../../shared/protocol/up.ts';
import { closeCodes, maxFrameBytes } from '../../shared/protocol/version.ts';
import { RoundTrip } from './round-trip.ts';

/** Why a link is over, by either side. */
export interface LinkEnd {
  code: number;
  reason: string;
}

/** What the controller says, in order, after `welcome`. */
export type Instruction = Exclude<Down, { type: 'welcome' | 'error' }>;

export interface ConnectionListener {
  welcome(welcome: Welcome): void;
  instruction(instruction: Instruction): void;
}

/**
 * One link, from hello to its end.
 *
 * - The first frame up is `hello`, the first frame down is `welcome`; nothing else is heard before it.
 * - Frames are handed over in order, one at a time, synchronously.
 * - `ended` settles once, with the first cause; after it nothing is sent and nothing is handed over.
 */
export class Connection {
  readonly ended: Promise<LinkEnd>;
  readonly #socket: FrameSocket;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #listener: ConnectionListener;
  readonly #roundTrip: RoundTrip;
  readonly #over = new AbortController();
  #resolveEnded: (end: LinkEnd) => void = () => {};
  #welcomed = false;
  #heardAt: number;

  constructor(parts: { socket: FrameSocket; clock: Clock; log: Logger; listener: ConnectionListener }) {
    this.#socket = parts.socket;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#listener = parts.listener;
    this.#heardAt = parts.clock.monotonic();
    this.#roundTrip = new RoundTrip(parts.clock, () => this.ping());
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  get isWelcomed(): boolean {
    return this.#welcomed;
  }

  /** Aborted when the link is over. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** When the peer showed the last sign of life, by `clock.monotonic`. */
  get heardAt(): number {
    return this.#heardAt;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedBytes;
  }

  open(hello: Hello): void {
    this.#socket.listen({
      frame: (text) => this.#frame(text),
      alive: () => {
        this.#heardAt = this.#clock.monotonic();
        if (!this.isOver) this.#roundTrip.alive();
      },
      closed: (code, reason) => this.#end({ code, reason }),
    });
    this.send(hello);
  }

  send(message: Up): void {
    this.sendText(JSON.stringify(message));
  }

  sendText(frame: string): void {
    if (!this.isOver) this.#socket.send(frame);
  }

  ping(): void {
    if (!this.isOver) this.#socket.ping();
  }

  /** Rejects when the link ends or `signal` is aborted before. */
  roundTrip(signal: AbortSignal): Promise<number> {
    return this.#roundTrip.measure(AbortSignal.any([signal, this.#over.signal]));
  }

  close(code: number, reason: string): void {
    if (this.isOver) return;
    this.#socket.close(code, reason);
    this.#end({ code, reason });
  }

  /** The peer is presumed dead. */
  terminate(code: number, reason: string): void {
    if (this.isOver) return;
    this.#socket.terminate();
    this.#end({ code, reason });
  }

  #frame(text: string): void {
    if (this.isOver) return;
    this.#heardAt = this.#clock.monotonic();
    // A character is at most three bytes of UTF-8: most frames are known to be short enough without counting.
    if (text.length * 3 > maxFrameBytes && Buffer.byteLength(text) > maxFrameBytes) {
      this.close(closeCodes.frameTooLarge, `frame of more than ${maxFrameBytes} bytes`);
      return;
    }
    const read = readFrame(Down, text);
    switch (read.kind) {
      case 'message':
        this.#handOver(read.message);
        break;
      case 'unknown':
        this.#log.warn({ type: read.type }, 'the controller sent a message of unknown type');
        this.send({ type: 'error', code: 'unknown_type', message: `unknown message type ${read.type}` });
        break;
      case 'bad':
        this.#log.warn({ problem: read.problem }, 'the controller sent a frame that is not understood');
        this.close(closeCodes.badFrame, read.problem);
        break;
    }
  }

  #handOver(message: Down): void {
    if (message.type === 'error') {
      this.#log.warn({ code: message.code, text: message.message }, 'the controller reported an error');
    } else if (message.type === 'welcome') {
      if (this.#welcomed) {
        this.close(closeCodes.badFrame, 'second welcome');
        return;
      }
      this.#welcomed = true;
      this.#listener.welcome(message);
    } else if (this.#welcomed) {
      this.#listener.instruction(message);
    } else {
      this.close(closeCodes.badFrame, `${message.type} before welcome`);
    }
  }

  #end(end: LinkEnd): void {
    if (this.isOver) return;
    this.#over.abort(new LinkOver(end));
    this.#resolveEnded(end);
  }
}

/** Why something that needed the link did not come about. */
export class LinkOver extends Error {
  constructor(end: LinkEnd) {
    super(`the link ended: ${end.code} ${end.reason}`.trim());
    this.name = 'LinkOver';
  }
}
