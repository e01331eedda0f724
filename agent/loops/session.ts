import type { Clock } from '../../shared/clock.ts';
import type { FrameSocket } from '../../shared/frame-socket.ts';
import type { ControllerKeys } from '../../shared/node/controller-keys.ts';
import type { Logger } from '../../shared/node/logger.ts';
import { isDiskFull } from '../../shared/node/sqlite.ts';
import type { Hello, Welcome } from '../../shared/protocol/hello.ts';
import type { SignedKeyChange } from '../../shared/protocol/key-change.ts';
import type { TaskOffer } from '../../shared/protocol/task.ts';
import { closeCodes } from '../../shared/protocol/version.ts';
import { unreachable } from '../../shared/unreachable.ts';
import { Connection, type Instruction, type LinkEnd } from '../link/connection.ts';
import type { ControllerClock } from '../link/controller-clock.ts';
import type { Offers } from '../runner/offers.ts';
import type { Runner } from '../runner/runner.ts';
import type { AgentStore } from '../store/agent-store.ts';
import { deliver } from './deliver.ts';
import type { FactsSheet } from './facts.ts';
import { watchLiveness } from './liveness.ts';

/** How this device comes to a new key. */
export interface KeyRotation {
  /** The device itself wants another one. */
  isDue(): boolean;
  /** True when it has one, and the link is to be dialled anew with it. */
  rotate(signal: AbortSignal): Promise<boolean>;
}

export interface SessionParts {
  store: AgentStore;
  runner: Runner;
  offers: Offers;
  clock: Clock;
  controllerClock: ControllerClock;
  controllerKeys: Pick<ControllerKeys, 'learn'>;
  keyRotation?: KeyRotation;
  log: Logger;
  factsSheet: () => FactsSheet | undefined;
  onWelcome: (welcome: Welcome) => void;
  /** Told that the link is looked after, and when it will be the next time. */
  movesWithin: (ms: number) => void;
}

const welcomeTimeoutMs = 30_000;
const lookForRestMs = 5_000;
const rotateAgainMs = 300_000;
/** An order that seems expired on a link of this age may mean that one of the clocks was turned: a new hello tells. */
const relearnClockAfterMs = 60_000;

/**
 * One link's dialogue: hello, welcome, instructions down, reports up.
 *
 * - What the controller says is applied in order, synchronously; reports follow from what was committed, never from memory.
 * - The end of the link changes no task.
 */
export class Session {
  readonly #parts: SessionParts;
  readonly #connection: Connection;
  #welcomedAt: number | undefined;
  /** Digest of the facts that the controller has, as far as is known. */
  #knownDigest = '';

  constructor(socket: FrameSocket, parts: SessionParts) {
    this.#parts = parts;
    this.#connection = new Connection({
      socket,
      clock: parts.clock,
      log: parts.log,
      listener: {
        welcome: (welcome) => this.#guarded(() => this.#welcome(welcome)),
        instruction: (instruction) => this.#guarded(() => this.#obey(instruction)),
      },
    });
  }

  /** When the controller answered the hello, by `clock.monotonic`. */
  get welcomedAt(): number | undefined {
    return this.#welcomedAt;
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Says hello and serves the link until it ends. Aborting drops the link. */
  async run(hello: Hello, signal: AbortSignal): Promise<LinkEnd> {
    const drop = (): void => this.#connection.terminate(closeCodes.goingAway, 'the agent ended');
    signal.addEventListener('abort', drop, { once: true });
    this.#knownDigest = hello.factsDigest;
    const watching = Promise.all([
      this.#awaitWelcome(),
      watchLiveness(this.#connection, this.#parts, this.#connection.over),
    ]);
    watching.catch(() => undefined); // ends with the link
    try {
      if (signal.aborted) drop();
      else this.#connection.open(hello);
      return await this.#connection.ended;
    } finally {
      signal.removeEventListener('abort', drop);
    }
  }

  /** The facts of this machine changed. */
  factsChanged(): void {
    if (this.#welcomedAt !== undefined) this.#reportFacts();
  }

  async #awaitWelcome(): Promise<void> {
    await this.#parts.clock.sleep(welcomeTimeoutMs, this.#connection.over);
    if (this.#welcomedAt === undefined) {
      this.#connection.terminate(closeCodes.helloTimeout, `no welcome within ${welcomeTimeoutMs / 1000} s`);
    }
  }

  #welcome(welcome: Welcome): void {
    const { store, runner, clock, controllerClock, onWelcome } = this.#parts;
    this.#welcomedAt = clock.monotonic();
    controllerClock.learn(welcome.clock);
    // Before anything that the new key signed.
    this.#learnKeys(welcome.keyChanges ?? []);
    onWelcome(welcome);
    this.#settleSeqs(welcome.ackedSeq);

    const told = (verdict: Welcome['tasks'][number]['verdict']): string[] =>
      welcome.tasks.filter((task) => task.verdict === verdict).map(({ code }) => code);
    runner.forget(told('forget'));
    for (const code of told('cancel')) runner.cancel(code);
    runner.start(told('start'));

    deliver(this.#connection, store, welcome, this.#connection.over).catch((error: unknown) => {
      if (!this.#connection.isOver) this.#failed(error);
    });
    if (welcome.factsWanted) this.#knownDigest = '';
    this.#reportFacts();
    if (welcome.rotateKey || this.#parts.keyRotation?.isDue()) {
      this.#rotateKey(this.#connection.over).catch((error: unknown) => {
        if (!this.#connection.isOver) this.#failed(error);
      });
    }
  }

  /** A failure ends the link: without the keys every order would be refused for good. */
  #learnKeys(changes: SignedKeyChange[]): void {
    const { controllerKeys, log } = this.#parts;
    const learned = controllerKeys.learn(changes);
    if (learned > 0) log.info({ event: 'controller.key_changed', learned }, 'the controller has a new key');
  }

  /** Not while a task runs, which may sign with the key and be asked for it later. */
  async #rotateKey(signal: AbortSignal): Promise<void> {
    const { clock, store, keyRotation } = this.#parts;
    if (!keyRotation) return;
    for (;;) {
      const isBusy = store.tasks.unfinished().some(({ type }) => type !== 'CONNECT');
      if (!isBusy && (await keyRotation.rotate(signal))) break;
      await clock.sleep(isBusy ? lookForRestMs : rotateAgainMs, signal);
    }
    this.#connection.close(closeCodes.normal, 'the device has a new key');
  }

  /** What the controller has committed may be deleted. */
  #settleSeqs(ackedSeq: number): void {
    const { store, log } = this.#parts;
    const lastSeq = store.outbox.lastSeq();
    if (ackedSeq <= lastSeq) {
      this.#ack(ackedSeq);
      return;
    }
    // This database is an older copy of itself (a restored snapshot). Its rows were never applied: they are numbered after those that were.
    log.warn(
      { event: 'agent.database_restored', lastSeq, ackedSeq },
      'the controller has seen newer reports than this database holds',
    );
    store.write(() => {
      store.outbox.shift(ackedSeq);
      store.tasks.shiftSeqs(ackedSeq);
    });
  }

  #obey(instruction: Instruction): void {
    const { runner } = this.#parts;
    switch (instruction.type) {
      case 'task.offer':
        this.#answerOffer(instruction);
        break;
      case 'task.start':
        runner.start(instruction.codes);
        break;
      case 'task.forget':
        runner.forget(instruction.codes);
        break;
      case 'task.cancel':
        runner.cancel(instruction.code);
        break;
      case 'question.answer':
        runner.answered(instruction.question, instruction.answer);
        break;
      case 'report.ack':
        this.#ack(instruction.seq);
        break;
      default:
        unreachable(instruction);
    }
  }

  #answerOffer(offer: TaskOffer): void {
    const refusal = this.#parts.offers.receive(offer);
    if (!refusal) return;
    this.#connection.send(refusal);
    const ageMs = this.#parts.clock.monotonic() - (this.#welcomedAt ?? 0);
    if (refusal.reason === 'expired' && ageMs >= relearnClockAfterMs) {
      this.#connection.close(closeCodes.normal, 'an order seems expired: learning the clock anew');
    }
  }

  #ack(seq: number): void {
    try {
      this.#parts.store.outbox.ack(seq);
    } catch (error) {
      // Kept rows are acknowledged again with the next ones.
      if (!isDiskFull(error)) throw error;
    }
  }

  #reportFacts(): void {
    const sheet = this.#parts.factsSheet();
    if (!sheet || sheet.digest === this.#knownDigest) return;
    this.#connection.send({ type: 'facts.report', digest: sheet.digest, facts: sheet.facts });
    this.#knownDigest = sheet.digest;
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** A failure inside costs the link, never the agent: everything is said again over the next one. */
  #failed(error: unknown): void {
    const { log, store } = this.#parts;
    if (!store.closed) log.error({ err: error }, 'the agent failed on what the controller said');
    this.#connection.terminate(closeCodes.goingAway, 'the agent failed inside');
  }
}
