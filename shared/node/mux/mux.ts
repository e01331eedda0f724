import type { Duplex } from 'node:stream';
import { FrameError, FrameParser } from '../../tunnel/frame-parser.ts';
import {
  creditPayload,
  type EndCode,
  endPayload,
  frameHeader,
  type FrameType,
  frameTypes,
  maxStreamId,
  readCredit,
  readEnd,
} from '../../tunnel/frame.ts';
import { MuxStream, StreamReset, type StreamSession } from './mux-stream.ts';
import { WindowBudget } from './receive-window.ts';
import { RoundTrips } from './round-trips.ts';

export interface MuxOptions {
  /** The operator's side opens odd streams, the device's even ones. */
  side: 'operator' | 'device';
  maxStreams?: number;
  /** Bytes that the windows of its streams may grow by together; 0 where the path is so short that they need not grow. */
  windowBudgetBytes?: number | undefined;
  /** A stream that the peer opened. Without it such streams are refused. */
  onStream?: (stream: MuxStream) => void;
  /** The session is over, once. */
  onClose: (code: EndCode, message: string) => void;
}

/** Bytes of one stream before the next one has its turn. */
const turnBytes = 32 * 1024;
/** Bytes of frames that answer the peer (credits, pongs, resets) and that it does not read: beyond this it is not one of ours. */
const maxUnreadBytes = 4 * 1024 * 1024;
const defaultBudgetBytes = 64 * 1024 * 1024;

/**
 * Many streams over one connection.
 *
 * - A stream sends only what its reader has room for: one that stalls stops itself and nobody else.
 * - Streams that have something to send take turns of `turnBytes`.
 * - A violation of the protocol ends the session with a code, and nothing else in this process.
 * - The end of the connection ends every stream with an error: nothing that was cut short looks complete.
 */
export class Mux implements StreamSession {
  readonly budget: WindowBudget;
  readonly #socket: Duplex;
  readonly #options: MuxOptions;
  readonly #streams = new Map<number, MuxStream>();
  readonly #ready = new Set<MuxStream>();
  readonly #parser: FrameParser;
  #nextId: number;
  #lastPeerId = 0;
  #isOver = false;
  #isBlocked = false;
  #isFlushPlanned = false;
  #pingSentAt: number | undefined;
  readonly #roundTrips = new RoundTrips();
  #pongs: ((roundTripMs: number) => void)[] = [];
  /** Of streams' data; pings and credits do not count. */
  bytesReceived = 0;
  bytesSent = 0;
  streamsOpened = 0;

  constructor(socket: Duplex, options: MuxOptions) {
    this.#socket = socket;
    this.#options = options;
    this.budget = new WindowBudget(options.windowBudgetBytes ?? defaultBudgetBytes);
    this.#nextId = options.side === 'operator' ? 1 : 2;
    this.#parser = new FrameParser({
      data: (id, part) => this.#data(id, part),
      control: (type, id, payload) => this.#control(type, id, payload),
    });
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('drain', () => {
      this.#isBlocked = false;
      this.#planFlush();
    });
    socket.on('end', () => this.#finish('peerLost', 'The connection was closed'));
    socket.on('error', (error) => this.#finish('peerLost', `The connection broke: ${error.message}`));
    socket.on('close', () => this.#finish('peerLost', 'The connection was closed'));
  }

  get streams(): number {
    return this.#streams.size;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A new stream; data may be written at once. Throws `StreamReset` when the session is over or full. */
  open(request: Uint8Array): MuxStream {
    if (this.#isOver) throw new StreamReset('peerLost', 'The session is over');
    if (this.#streams.size >= this.#maxStreams) {
      throw new StreamReset('tooManyStreams', `A session has at most ${this.#maxStreams} streams`);
    }
    if (this.#nextId > maxStreamId) throw new StreamReset('limit', 'The session has no stream numbers left');
    const stream = new MuxStream(this.#nextId, request, this);
    this.#nextId += 2;
    this.#add(stream);
    this.#send(frameTypes.open, stream.id, request);
    if (this.#pingSentAt === undefined && this.#roundTrips.pathMs === 0) this.#ping();
    return stream;
  }

  /** Round trip to the other end in milliseconds: also tells that it lives. Never settles once the session is over. */
  ping(): Promise<number> {
    return new Promise((resolve) => {
      this.#pongs.push(resolve);
      if (this.#pingSentAt === undefined) this.#ping();
    });
  }

  /** Ends every stream and the session, and tells the other side why. */
  close(code: EndCode, message: string): void {
    if (this.#isOver) return;
    this.#send(frameTypes.goAway, 0, endPayload(code, message));
    this.#finish(code, message);
  }

  wake(stream: MuxStream): void {
    this.#ready.add(stream);
    this.#planFlush();
  }

  sendCredit(stream: MuxStream, bytes: number): void {
    if (this.#streams.has(stream.id)) this.#send(frameTypes.credit, stream.id, creditPayload(bytes));
  }

  sendReset(stream: MuxStream, code: EndCode, message: string): void {
    if (this.#streams.has(stream.id)) this.#send(frameTypes.reset, stream.id, endPayload(code, message));
  }

  closed(stream: MuxStream): void {
    this.#streams.delete(stream.id);
    this.#ready.delete(stream);
  }

  get #maxStreams(): number {
    return this.#options.maxStreams ?? 256;
  }

  #add(stream: MuxStream): void {
    this.streamsOpened += 1;
    stream.measured(this.#roundTrips.pathMs);
    this.#streams.set(stream.id, stream);
  }

  #receive(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#parser.push(chunk);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.close('protocol', error.message);
    }
  }

  #data(id: number, part: Uint8Array): void {
    if (this.#isOver) return;
    const stream = this.#streams.get(id);
    if (!stream) {
      if (!this.#wasOpened(id)) this.#violated(`data for stream ${id}, which was never opened`);
      return; // sent before our reset arrived
    }
    this.bytesReceived += part.length;
    if (!stream.receive(part)) this.#violated(`stream ${id} sent more than it may`);
  }

  #control(type: FrameType, id: number, payload: Uint8Array): void {
    if (this.#isOver) return;
    if (type === frameTypes.open) return this.#opened(id, payload);
    if (type === frameTypes.ping) return this.#send(frameTypes.pong, 0, payload);
    if (type === frameTypes.pong) return this.#ponged();
    if (type === frameTypes.goAway) {
      const { code, message } = readEnd(payload);
      return this.#finish(code, message);
    }
    const stream = this.#streams.get(id);
    if (!stream) {
      if (!this.#wasOpened(id)) this.#violated(`a frame for stream ${id}, which was never opened`);
      return;
    }
    if (type === frameTypes.credit && !stream.receiveCredit(readCredit(payload))) {
      this.#violated(`stream ${id} was given more credit than there is`);
    }
    if (type === frameTypes.end && !stream.receiveEnd()) this.#violated(`stream ${id} ended twice`);
    if (type === frameTypes.reset) {
      const { code, message } = readEnd(payload);
      stream.receiveReset(code, message);
    }
  }

  #opened(id: number, request: Uint8Array): void {
    const mine = this.#options.side === 'operator' ? 1 : 0;
    if (id === 0 || id % 2 === mine || id <= this.#lastPeerId) {
      return this.#violated(`stream ${id} was opened out of turn`);
    }
    this.#lastPeerId = id;
    const { onStream } = this.#options;
    if (!onStream || this.#streams.size >= this.#maxStreams) {
      const why = onStream
        ? `A session has at most ${this.#maxStreams} streams`
        : 'This side takes no streams';
      this.#send(frameTypes.reset, id, endPayload(onStream ? 'tooManyStreams' : 'refused', why));
      return;
    }
    const stream = new MuxStream(id, request, this);
    this.#add(stream);
    onStream(stream);
  }

  #wasOpened(id: number): boolean {
    const mine = this.#options.side === 'operator' ? 1 : 0;
    return id > 0 && (id % 2 === mine ? id < this.#nextId : id <= this.#lastPeerId);
  }

  #violated(message: string): void {
    this.close('protocol', message);
  }

  #ping(): void {
    this.#pingSentAt = performance.now();
    this.#send(frameTypes.ping, 0, new Uint8Array(8));
  }

  #ponged(): void {
    if (this.#pingSentAt === undefined) return this.#violated('a pong that nobody asked for');
    const roundTripMs = performance.now() - this.#pingSentAt;
    this.#pingSentAt = undefined;
    this.#roundTrips.add(roundTripMs);
    for (const stream of this.#streams.values()) stream.measured(this.#roundTrips.pathMs);
    for (const settle of this.#pongs.splice(0)) settle(roundTripMs);
  }

  /** Frames that must not wait for a turn. */
  #send(type: FrameType, id: number, payload: Uint8Array): void {
    if (this.#isOver) return;
    this.#planFlush();
    this.#socket.write(frameHeader(type, id, payload.length));
    if (payload.length > 0) this.#socket.write(payload);
    if (this.#socket.writableLength > maxUnreadBytes) {
      this.#finish('protocol', 'The other side does not read');
    }
  }

  /** Whatever is said or becomes ready in this turn of the event loop leaves together: a stream with its first bytes. */
  #planFlush(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isFlushPlanned = false;
      this.#pump();
      this.#socket.uncork();
    });
  }

  #pump(): void {
    if (this.#isOver || this.#isBlocked) return;
    for (const stream of this.#ready) {
      // The socket is full enough: a ping must not wait behind more.
      this.#isBlocked = this.#socket.writableNeedDrain;
      if (this.#isBlocked) break;
      this.#ready.delete(stream); // to the end of the queue, if it has more
      this.#turn(stream);
      if (stream.isReady && !stream.destroyed) this.#ready.add(stream);
    }
  }

  #turn(stream: MuxStream): void {
    const taken = stream.takeTurn(turnBytes);
    if (taken === undefined) return;
    if (taken === 'end') {
      this.#socket.write(frameHeader(frameTypes.end, stream.id, 0));
      return;
    }
    this.bytesSent += taken.data.length;
    this.#socket.write(frameHeader(frameTypes.data, stream.id, taken.data.length));
    this.#socket.write(taken.data);
  }

  #finish(code: EndCode, message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const reason = new StreamReset(code === 'done' ? 'peerLost' : code, message);
    for (const stream of [...this.#streams.values()]) stream.destroy(reason);
    this.#streams.clear();
    this.#ready.clear();
    // What was said last still leaves; a peer that does not take it is cut off by its owner's limits.
    this.#socket.end();
    this.#socket.resume();
    this.#options.onClose(code, message);
  }
}
