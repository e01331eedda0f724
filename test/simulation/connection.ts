import type { FrameListener, FrameSocket } from '../../shared/frame-socket.ts';
import type { Process } from './process.ts';
import type { Scheduler } from './scheduler.ts';
import type { Trace } from './trace.ts';

/** What travels: frames, and what the socket library says by itself. */
type Item =
  | { kind: 'frame'; text: string }
  | { kind: 'ping' | 'pong' | 'end' }
  | { kind: 'close' | 'closeAnswer'; code: number; reason: string };

/** Close code of a connection that broke (RFC 6455: never on the wire). */
const abnormal = 1006;
/** How long `close` waits for the peer's answer, as `ws` does. */
const closeTimeoutMs = 30_000;

export interface Surroundings {
  scheduler: Scheduler;
  trace: Trace;
  /** Draws how long one item travels. */
  delayMs: () => number;
}

/** Told about every frame that a connection takes. */
export type FrameCounter = (connection: Connection) => void;

/** When a side learns that its connection is over: after so long, after what still arrives, or never: it has to find out. */
export type Learns = number | 'in order' | 'never';

/** How a connection ends by a fault. */
export interface Cut {
  agentLearns: Learns;
  controllerLearns: Learns;
  /** How many of the items under way still arrive, per direction. */
  upArrive: number;
  downArrive: number;
  /** By how much those are late: old frames that come after a newer connection was made. */
  lateMs: number;
}

/** One direction: items arrive in order, each after its delay, never before the one ahead of it. */
class Channel {
  readonly #around: Surroundings;
  readonly #deliver: (item: Item) => boolean;
  #items: { item: Item; readyAt: number }[] = [];
  #stalledUntil = 0;
  #broken = false;
  #pumping = false;
  /** Bytes that will never arrive because the direction is broken. */
  stuckBytes = 0;

  constructor(around: Surroundings, deliver: (item: Item) => boolean) {
    this.#around = around;
    this.#deliver = deliver;
  }

  push(item: Item): void {
    if (this.#broken) {
      if (item.kind === 'frame') this.stuckBytes += item.text.length;
      return;
    }
    const { scheduler, delayMs } = this.#around;
    const last = this.#items.at(-1)?.readyAt ?? 0;
    this.#items.push({ item, readyAt: Math.max(last, scheduler.now + delayMs()) });
    this.pump();
  }

  stall(ms: number): void {
    this.#stalledUntil = Math.max(this.#stalledUntil, this.#around.scheduler.now + ms);
  }

  /** Nothing more gets in, and only so many of those under way get out; `withEnd`: followed by the end of the connection. */
  break(arrive: number, withEnd: boolean): void {
    if (this.#broken) return;
    this.#items = this.#items.slice(0, arrive);
    if (withEnd) this.push({ kind: 'end' });
    this.#broken = true;
  }

  /** Delivers what is ready, then waits for the next. */
  pump(): void {
    const [first] = this.#items;
    if (!first || this.#pumping) return;
    this.#pumping = true;
    const at = Math.max(first.readyAt, this.#stalledUntil);
    this.#around.scheduler.after(at - this.#around.scheduler.now, () => {
      this.#pumping = false;
      const [next] = this.#items;
      if (!next) return;
      if (Math.max(next.readyAt, this.#stalledUntil) <= this.#around.scheduler.now) {
        if (!this.#deliver(next.item)) return;
        this.#items.shift();
      }
      this.pump();
    });
  }
}

/** One end of a connection, as the program on it sees it. */
class End implements FrameSocket {
  readonly #name: string;
  readonly #owner: Process;
  readonly #around: Surroundings;
  readonly #sent: () => void;
  #listener: FrameListener | undefined;
  #closing = false;
  #closed = false;
  out!: Channel;
  in!: Channel;

  constructor(name: string, owner: Process, parts: { around: Surroundings; sent: () => void }) {
    this.#name = name;
    this.#owner = owner;
    this.#around = parts.around;
    this.#sent = parts.sent;
  }

  get bufferedBytes(): number {
    return this.out.stuckBytes;
  }

  get closed(): boolean {
    return this.#closed || !this.#owner.alive;
  }

  send(frame: string): void {
    if (this.#mute) return;
    this.out.push({ kind: 'frame', text: frame });
    this.#sent();
  }

  ping(): void {
    if (!this.#mute) this.out.push({ kind: 'ping' });
  }

  close(code: number, reason: string): void {
    if (this.#mute) return;
    this.#closing = true;
    this.out.push({ kind: 'close', code, reason });
    this.#around.scheduler.after(closeTimeoutMs, () => this.end(code, reason));
  }

  terminate(): void {
    if (this.#closed || !this.#owner.alive) return;
    this.#closing = true;
    this.out.push({ kind: 'end' });
    this.#around.scheduler.after(0, () => this.end(abnormal, ''));
  }

  listen(listener: FrameListener): void {
    this.#listener = listener;
    this.in.pump();
  }

  /** Takes one item; false when nobody listens yet. */
  receive(item: Item): boolean {
    if (this.#closed || !this.#owner.alive) return true;
    if (!this.#listener) return false;
    switch (item.kind) {
      case 'frame':
        this.#around.trace.add(this.#name, `← ${item.text}`);
        this.#listener.frame(item.text);
        break;
      case 'ping':
        this.out.push({ kind: 'pong' });
        this.#listener.alive();
        break;
      case 'pong':
        this.#listener.alive();
        break;
      case 'end':
        this.end(abnormal, '');
        break;
      case 'close':
        this.out.push({ kind: 'closeAnswer', code: item.code, reason: item.reason });
        this.end(item.code, item.reason);
        break;
      case 'closeAnswer':
        this.end(item.code, item.reason);
        break;
    }
    return true;
  }

  /** The program is told that it is over, once. */
  end(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#owner.alive) return;
    this.#around.trace.add(this.#name, `closed ${code} ${reason}`);
    this.#listener?.closed(code, reason);
  }

  get #mute(): boolean {
    return this.#closing || this.#closed || !this.#owner.alive;
  }
}

/** A link between an agent and the controller. */
export class Connection {
  readonly #around: Surroundings;
  readonly #agentEnd: End;
  readonly #controllerEnd: End;
  readonly #up: Channel;
  readonly #down: Channel;

  constructor(parts: {
    name: string;
    agent: Process;
    controller: Process;
    around: Surroundings;
    sent: FrameCounter;
  }) {
    const { name, agent, controller, around } = parts;
    const sent = (): void => parts.sent(this);
    this.#around = around;
    this.#agentEnd = new End(`${agent.name}${name}`, agent, { around, sent });
    this.#controllerEnd = new End(`${controller.name}${name}`, controller, { around, sent });
    this.#up = new Channel(around, (item) => this.#controllerEnd.receive(item));
    this.#down = new Channel(around, (item) => this.#agentEnd.receive(item));
    [this.#agentEnd.out, this.#agentEnd.in] = [this.#up, this.#down];
    [this.#controllerEnd.out, this.#controllerEnd.in] = [this.#down, this.#up];
  }

  get agentSocket(): FrameSocket & { readonly closed: boolean } {
    return this.#agentEnd;
  }

  get controllerSocket(): FrameSocket {
    return this.#controllerEnd;
  }

  get open(): boolean {
    return !this.#agentEnd.closed || !this.#controllerEnd.closed;
  }

  /** Everything in one direction waits. */
  stall(direction: 'up' | 'down', ms: number): void {
    (direction === 'up' ? this.#up : this.#down).stall(ms);
  }

  cut(cut: Cut): void {
    this.#up.break(cut.upArrive, cut.controllerLearns === 'in order');
    this.#down.break(cut.downArrive, cut.agentLearns === 'in order');
    this.#up.stall(cut.lateMs);
    this.#down.stall(cut.lateMs);
    this.#tell(this.#agentEnd, cut.agentLearns);
    this.#tell(this.#controllerEnd, cut.controllerLearns);
  }

  #tell(end: End, learns: Learns): void {
    if (typeof learns === 'number') this.#around.scheduler.after(learns, () => end.end(abnormal, ''));
  }
}
