import type { Down } from '../../shared/protocol/down.ts';
import type { Hello } from '../../shared/protocol/hello.ts';
import type { Report } from '../../shared/protocol/report.ts';
import type { Up } from '../../shared/protocol/up.ts';
import { defaultSlots, taskTypeNames } from '../../shared/task-types/task-type.ts';
import type { MemorySocket } from './memory-socket.ts';
import { until } from './until.ts';

export type ScriptedHello = Omit<Hello, 'type'>;
type DownOf<Type extends Down['type']> = Extract<Down, { type: Type }>;
/** A report without what every row has. */
export type ScriptedReport = Report extends infer One
  ? One extends Report
    ? Omit<One, 'seq' | 'at'>
    : never
  : never;

/** The device's end of a link, saying exactly what a test scripts. */
export class ScriptedDevice {
  readonly id: string;
  readonly socket: MemorySocket;
  /** Everything that came down, oldest first. */
  readonly received: Down[] = [];
  closed: { code: number; reason: string } | undefined;
  seq = 0;
  #read = 0;

  constructor(id: string, socket: MemorySocket) {
    this.id = id;
    this.socket = socket;
    socket.listen({
      frame: (text) => this.received.push(JSON.parse(text) as Down),
      alive: () => undefined,
      closed: (code, reason) => {
        this.closed = { code, reason };
      },
    });
  }

  send(message: Up): void {
    this.socket.send(JSON.stringify(message));
  }

  hello(over: Partial<ScriptedHello> = {}): void {
    this.seq = over.lastSeq ?? this.seq;
    this.send({
      type: 'hello',
      protocol: { min: 1, max: 1 },
      agentVersion: '0.1.0',
      bootId: 'boot-1',
      instanceId: 'instance-1',
      epoch: 1,
      connection: 1,
      storeId: 'store-1',
      taskTypes: taskTypeNames,
      slots: defaultSlots,
      tasks: [],
      lastSeq: 0,
      clock: 0,
      factsDigest: '',
      ...over,
    });
  }

  /** Sends outbox rows with the next numbers. */
  report(...reports: ScriptedReport[]): void {
    const rows = reports.map((report) => {
      this.seq += 1;
      return { ...report, seq: this.seq, at: 0 } as Report;
    });
    this.send({ type: 'report.batch', reports: rows });
  }

  accept(code: string): void {
    this.report({ type: 'task.accepted', code, attempt: 1 });
  }

  complete(code: string, result: Record<string, unknown> = {}): void {
    this.report({ type: 'task.result', code, attempt: 1, outcome: 'COMPLETED', result });
  }

  fail(code: string, errorCode = 'exit_code'): void {
    const error = { code: errorCode, message: 'It did not work' };
    this.report({ type: 'task.result', code, attempt: 1, outcome: 'FAILED', error });
  }

  /** The next message of this type among those not read yet; what comes before it is skipped. */
  async next<Type extends Down['type']>(type: Type): Promise<DownOf<Type>> {
    return until(
      `device receives ${type}`,
      () => {
        const at = this.received.findIndex((message, index) => index >= this.#read && message.type === type);
        if (at < 0) return undefined;
        this.#read = at + 1;
        return this.received[at] as DownOf<Type>;
      },
      { everyMs: 2, last: () => JSON.stringify({ received: this.received, closed: this.closed }) },
    );
  }

  /** Takes the next offer through accept and start. */
  async takeTask(): Promise<string> {
    const { code } = await this.next('task.offer');
    this.accept(code);
    await this.next('task.start');
    return code;
  }

  async closing(): Promise<{ code: number; reason: string }> {
    return until('the link closes', () => this.closed, { everyMs: 2 });
  }

  offers(): string[] {
    return this.received.flatMap((message) => (message.type === 'task.offer' ? [message.code] : []));
  }
}
