import type { Clock } from '../../shared/clock.ts';
import type { FrameSocket } from '../../shared/frame-socket.ts';
import { generateKeyPair, type KeyPair, signText } from '../../shared/node/keys.ts';
import type { Down } from '../../shared/protocol/down.ts';
import type { Hello, Welcome } from '../../shared/protocol/hello.ts';
import type { Report } from '../../shared/protocol/report.ts';
import type { TaskOrder } from '../../shared/protocol/task.ts';
import { Up } from '../../shared/protocol/up.ts';
import { protocolVersion } from '../../shared/protocol/version.ts';
import { type MemorySocket, memorySocketPair } from './memory-socket.ts';

type State = 'PENDING' | 'IN_PROGRESS' | 'COMPLETED' | 'FAILED' | 'CANCELLED';
type Verdict = Welcome['tasks'][number]['verdict'];

/** The controller's side of the protocol for one device, honest and without a database: what an agent's test talks to. */
export class FakeController {
  readonly deviceId = 'device-1';
  readonly keys: KeyPair = generateKeyPair();
  readonly states = new Map<string, State>();
  /** Every row that was applied, once each, oldest first. */
  readonly applied: Report[] = [];
  /** Every frame that came up, oldest first, also those of rows that were known already. */
  readonly received: Up[] = [];
  readonly hellos: Hello[] = [];
  appliedSeq = 0;
  /** Told instead of what an honest controller would say. */
  verdicts = new Map<string, Verdict>();
  startsAccepted = true;
  acknowledges = true;
  welcomes = true;
  factsWanted = false;
  /** What the next welcomes say of keys. */
  keyNews: Pick<Welcome, 'keyChanges' | 'rotateKey'> = {};
  protocol = protocolVersion;
  /** Nothing that the agent sends arrives. */
  loseUp = false;
  /** Thrown at the next dials. */
  refusal: Error | undefined;
  socket: MemorySocket | undefined;
  #sequence = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly dial = async (): Promise<FrameSocket> => {
    if (this.refusal) throw this.refusal;
    const [mine, theirs] = memorySocketPair();
    this.socket = mine;
    mine.listen({
      frame: (text) => {
        if (this.socket === mine && !this.loseUp) this.#receive(Up.parse(JSON.parse(text)));
      },
      alive: () => undefined,
      closed: () => undefined,
    });
    return theirs;
  };

  /** The connection breaks; both sides learn it at once. */
  cut(): void {
    this.socket?.terminate();
    this.socket = undefined;
  }

  send(message: Down): void {
    this.socket?.send(JSON.stringify(message));
  }

  /** Signs and sends an offer of a task that is PENDING. `over` makes it another, `signedBy` a forged one. */
  offer(over: Partial<TaskOrder> & { code: string }, signedBy: KeyPair = this.keys): string {
    const order = JSON.stringify(this.order(over));
    if (!this.states.has(over.code)) this.states.set(over.code, 'PENDING');
    this.send({
      type: 'task.offer',
      code: over.code,
      order,
      signature: signText(order, signedBy.privateKey),
    });
    return order;
  }

  order(over: Partial<TaskOrder> & { code: string }): TaskOrder {
    this.#sequence += 1;
    return {
      device: this.deviceId,
      attempt: 1,
      taskType: 'SCRIPT',
      parameters: { script: 'echo hello' },
      timeoutMs: 3_600_000,
      force: false,
      expiresAt: this.#clock.now() + 600_000,
      sequence: this.#sequence,
      ...over,
    };
  }

  /** The applied rows of one task. */
  of(code: string): Report[] {
    return this.applied.filter((row) => row.code === code);
  }

  result(code: string) {
    return this.of(code).findLast((row) => row.type === 'task.result');
  }

  logs(code: string): string[] {
    return this.of(code).flatMap((row) => (row.type === 'task.log' ? [row.text] : []));
  }

  refusals(): { code: string; reason: string }[] {
    return this.received.flatMap((frame) =>
      frame.type === 'task.refused' ? [{ code: frame.code, reason: frame.reason }] : [],
    );
  }

  #receive(frame: Up): void {
    this.received.push(frame);
    if (frame.type === 'hello') this.#welcome(frame);
    if (frame.type === 'report.batch') this.#apply(frame.reports);
  }

  #welcome(hello: Hello): void {
    this.hellos.push(hello);
    if (!this.welcomes) return;
    this.send({
      type: 'welcome',
      protocol: this.protocol,
      session: `session-${this.hellos.length}`,
      clock: this.#clock.now(),
      heartbeatMs: 25_000,
      ackedSeq: this.appliedSeq,
      tasks: hello.tasks.map(({ code, state }) => ({
        code,
        verdict: this.verdicts.get(code) ?? this.#verdict(code, state),
      })),
      factsWanted: this.factsWanted,
      ...this.keyNews,
    });
  }

  #verdict(code: string, held: Hello['tasks'][number]['state']): Verdict {
    const state = this.states.get(code);
    if (held === 'finished') return 'keep';
    if (state === 'PENDING' && held === 'accepted') this.states.set(code, 'IN_PROGRESS');
    const goesOn = state === 'PENDING' || state === 'IN_PROGRESS';
    if (held === 'accepted') return goesOn ? 'start' : 'forget';
    return goesOn ? 'keep' : 'cancel';
  }

  #apply(reports: Report[]): void {
    const started: string[] = [];
    for (const row of reports) {
      if (row.seq <= this.appliedSeq) continue;
      this.appliedSeq = row.seq;
      this.applied.push(row);
      if (row.type === 'task.accepted') started.push(row.code);
      if (row.type === 'task.result') this.states.set(row.code, row.outcome);
      if (row.type === 'task.cancelled') this.states.set(row.code, 'CANCELLED');
    }
    const starting = started.filter((code) => this.startsAccepted && this.states.get(code) === 'PENDING');
    for (const code of starting) this.states.set(code, 'IN_PROGRESS');
    if (starting.length > 0) this.send({ type: 'task.start', codes: starting });
    if (this.acknowledges) this.send({ type: 'report.ack', seq: this.appliedSeq });
  }
}
