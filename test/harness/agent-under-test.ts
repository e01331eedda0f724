import { type AgentConfig, defaultAgentConfig } from '../../agent/config.ts';
import { type AgentCore, type AgentParts, createAgentCore } from '../../agent/core.ts';
import type { Handlers } from '../../agent/runner/runner.ts';
import { DummyMachine } from '../../agent/system/dummy/machine.ts';
import { silentLogger } from '../../shared/node/logger.ts';
import { openSqlite, type Sqlite } from '../../shared/node/sqlite.ts';
import { seededRandom } from '../simulation/random.ts';
import { FakeController } from './fake-controller.ts';
import { TestClock } from './test-clock.ts';

/** The real agent core on a dummy machine and a real database, with a fake controller and a clock that stands still. */
export class AgentUnderTest implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly random = seededRandom('agent under test');
  readonly controller = new FakeController(this.clock);
  readonly machine = new DummyMachine({ clock: this.clock, random: this.random });
  db: Sqlite = openSqlite(':memory:');
  config: AgentConfig = defaultAgentConfig;
  handlers: Handlers | undefined;
  /** What a real agent has beside; of the next life. */
  more: Partial<AgentParts> = {};
  core: AgentCore | undefined;
  /** What the last life ended with, if it failed inside. */
  failure: unknown;
  #life: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();

  /** Starts a life of the agent on the database as it is. */
  async start(): Promise<void> {
    this.#life = new AbortController();
    this.core = createAgentCore({
      db: this.db,
      system: this.machine,
      dial: () => this.controller.dial(),
      identity: { deviceId: this.controller.deviceId, controllerKey: this.controller.keys.publicKey },
      clock: this.clock,
      random: this.random,
      log: silentLogger(),
      config: this.config,
      ...(this.handlers ? { handlers: this.handlers } : {}),
      ...this.more,
    });
    this.#running = this.core.run(this.#life.signal).catch((error: unknown) => {
      this.failure = error;
    });
    await this.rest();
  }

  /** Lets everything settle that needs no time to pass. */
  rest(): Promise<void> {
    return this.clock.advance(0);
  }

  /** The process dies; the database stays as it is. */
  async crash(): Promise<void> {
    this.#life?.abort(new Error('crashed'));
    this.controller.cut();
    await this.rest();
  }

  async restart(): Promise<void> {
    await this.crash();
    await this.start();
  }

  /** The machine loses power and boots again. */
  async powerCut(): Promise<void> {
    await this.crash();
    this.machine.power.powerCut();
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
    await this.clock.advance(60_000);
    await this.#running;
    this.db.close();
    if (this.failure !== undefined) throw new Error('the agent failed inside', { cause: this.failure });
  }
}
