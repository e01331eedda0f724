import type { FrameListener, FrameSocket } from '../../shared/frame-socket.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Down } from '../../shared/protocol/down.ts';
import { readFrame } from '../../shared/protocol/frame.ts';
import type { Hello } from '../../shared/protocol/hello.ts';
import type { Report } from '../../shared/protocol/report.ts';
import { Up } from '../../shared/protocol/up.ts';
import { closeCodes, maxFrameBytes, protocolRange } from '../../shared/protocol/version.ts';
import type { Lane } from '../../shared/task-types/task-type.ts';
import { unreachable } from '../../shared/unreachable.ts';
import type { AdmittedDevice } from '../devices/admission.ts';
import type { HeldTask, OnlineLink } from '../devices/online.ts';
import type { FactsReport } from '../../shared/protocol/hello.ts';
import type { TaskRefused } from '../../shared/protocol/task.ts';

/** What links hand on to. One object for all links: an idle link must stay small. */
export interface LinkOwner {
  clock: Clock;
  maxBufferedBytes: number;
  hello(link: OnlineLink, hello: Hello): void;
  /** `length`: of the frame they came in. False when too much waits already. */
  reports(link: OnlineLink, reports: Report[], length: number): boolean;
  /** False when too much waits already. */
  refusal(link: OnlineLink, refusal: TaskRefused): boolean;
  facts(link: OnlineLink, facts: FactsReport): void;
  closed(link: Link, code: number, reason: string): void;
}

/** What a WebSocket reports when the connection ended without a close frame. */
const abnormalClosure = 1006;

const noSlots: Partial<Record<Lane, number>> = {};

/**
 * One link, from the accepted upgrade to its close: reads frames and hands them on.
 *
 * - The first frame is `hello`, exactly one; nothing else counts before the welcome.
 * - After `close` nothing more is handed on, and nothing more is sent.
 * - What a slow peer does not take is bounded: beyond the bound the link is closed.
 * - There are many idle links: no timer, closure or map of its own.
 */
export class Link implements OnlineLink, FrameListener {
  readonly deviceId: string;
  readonly organizationId: string;
  readonly publicKey: string | undefined;
  readonly order: number;
  readonly #socket: FrameSocket;
  readonly #owner: LinkOwner;
  isClosed = false;
  saidHello = false;
  /** Monotonic times: of the last sign of life, and of our last ping (before any: of the opening). */
  aliveAt: number;
  pingedAt: number;
  held: Map<string, HeldTask> | undefined = undefined;
  pausedUntil: Map<Lane, number> | undefined = undefined;
  slots = noSlots;
  storeId = '';
  appliedSeq = 0;

  constructor(device: AdmittedDevice, order: number, socket: FrameSocket, owner: LinkOwner) {
    this.deviceId = device.id;
    this.organizationId = device.organizationId;
    this.publicKey = device.publicKey;
    this.order = order;
    this.#socket = socket;
    this.#owner = owner;
    this.aliveAt = owner.clock.monotonic();
    this.pingedAt = this.aliveAt;
  }

  send(message: Down): void {
    if (this.isClosed) return;
    this.#socket.send(JSON.stringify(message));
    if (this.#socket.bufferedBytes > this.#owner.maxBufferedBytes) {
      this.close(closeCodes.overloaded, 'the device does not take what it is sent');
    }
  }

  ping(now: number): void {
    if (this.isClosed) return;
    this.pingedAt = now;
    this.#socket.ping();
  }

  close(code: number, reason: string): void {
    if (this.isClosed) return;
    this.#socket.close(code, reason);
    this.#end(code, reason);
  }

  /** Ends a link whose peer is presumed dead. */
  terminate(reason: string): void {
    if (this.isClosed) return;
    this.#socket.terminate();
    this.#end(closeCodes.silent, reason);
  }

  frame(text: string): void {
    if (this.isClosed) return;
    this.aliveAt = this.#owner.clock.monotonic();
    // UTF-16 units are at most a third of the bytes, so most frames need no count.
    if (text.length * 3 > maxFrameBytes && Buffer.byteLength(text) > maxFrameBytes) {
      return this.close(closeCodes.frameTooLarge, `a frame is longer than ${maxFrameBytes} bytes`);
    }
    const read = readFrame(Up, text);
    switch (read.kind) {
      case 'bad':
        return this.close(closeCodes.badFrame, read.problem);
      case 'unknown':
        return this.send({
          type: 'error',
          code: 'unknown_type',
          message: `Message type ${read.type} is not known here`,
        });
      case 'message':
        return this.#message(read.message, text.length);
    }
  }

  alive(): void {
    this.aliveAt = this.#owner.clock.monotonic();
  }

  closed(code: number, reason: string): void {
    if (this.isClosed) return;
    // Without a close frame nobody knows whether it was the device that ended it.
    if (code !== abnormalClosure) this.alive();
    this.#end(code, reason);
  }

  #message(message: Up, length: number): void {
    if (message.type === 'hello') return this.#hello(message);
    if (!this.saidHello) return this.close(closeCodes.helloExpected, `expected hello, got ${message.type}`);
    if (message.type === 'error') return;
    if (this.storeId === '') {
      return this.close(closeCodes.badFrame, `${message.type} came before the welcome`);
    }
    switch (message.type) {
      case 'report.batch':
        return this.#closeUnless(this.#owner.reports(this, message.reports, length));
      case 'task.refused':
        return this.#closeUnless(this.#owner.refusal(this, message));
      case 'facts.report':
        return this.#owner.facts(this, message);
      default:
        unreachable(message);
    }
  }

  #closeUnless(taken: boolean): void {
    if (!taken) this.close(closeCodes.overloaded, 'too much waits for its commit');
  }

  #hello(hello: Hello): void {
    if (this.saidHello) return this.close(closeCodes.badFrame, 'hello came twice');
    if (hello.protocol.max < protocolRange.min || hello.protocol.min > protocolRange.max) {
      return this.close(
        closeCodes.unsupportedProtocol,
        `the device speaks protocol ${hello.protocol.min} to ${hello.protocol.max}, this controller ${protocolRange.min} to ${protocolRange.max}`,
      );
    }
    this.saidHello = true;
    this.#owner.hello(this, hello);
  }

  #end(code: number, reason: string): void {
    this.isClosed = true;
    this.#owner.closed(this, code, reason);
  }
}
