import { join } from 'node:path';
import pino from 'pino';
import { ControllerKeys } from '../../shared/node/controller-keys.ts';
import {
  generateKeyPair,
  importPrivateKey,
  keyFingerprint,
  type KeyPair,
  signText,
} from '../../shared/node/keys.ts';
import { systemClock, systemRandom } from '../../shared/node/system-clock.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';
import { createProgramsHandler } from '../../agent/handlers/connect-programs.ts';
import { type DummyContext, dummyContext } from '../../agent/handlers/dummy-context.ts';
import type { SessionServices } from '../../agent/handlers/serve-session.ts';
import { script } from '../../agent/handlers/script.ts';
import { DummyMachine } from '../../agent/system/dummy/machine.ts';
import { createProcesses } from '../../agent/system/processes.ts';
import { createStreams } from '../../agent/system/streams/create-streams.ts';
import { RemoteAccess } from '../../agent/tunnel/remote-access.ts';
import { describeHelper } from '../../agent/root-helper/helper-connection.ts';
import type { HelperParts } from '../../agent/root-helper/helper-task.ts';
import { serveHelper } from '../../agent/root-helper/helper-server.ts';
import { OrderLedger } from '../../agent/root-helper/order-ledger.ts';
import type { RemoteHelper } from '../../agent/root-helper/remote-handler.ts';

/** A root helper on a socket of its own, and the controller whose orders it obeys. */
export class HelperUnderTest implements AsyncDisposable {
  readonly folder = temporaryFolder('root-helper');
  readonly path = join(this.folder.path, 'helper.sock');
  readonly spool = join(this.folder.path, 'spool');
  /** Of the controller. */
  readonly keys = generateKeyPair();
  /** Names of the recordings that it brought away. */
  readonly uploaded: string[] = [];
  #stop = new AbortController();
  #served: Promise<void> = Promise.resolve();
  #sequence = 0;

  async begin(given: Partial<HelperParts> = {}, remoteAccess: object = {}): Promise<void> {
    this.#stop = new AbortController();
    const machine = new DummyMachine({ clock: systemClock, random: systemRandom });
    const parts: HelperParts = {
      deviceId: 'device-1',
      controllerKeys: new ControllerKeys({
        controllerId: 'c',
        pinned: this.keys.publicKey,
        now: () => systemClock.now(),
      }),
      takeDeviceKey: (pem) => keyFingerprint(importPrivateKey(pem).publicKey),
      handlers: { SCRIPT: script },
      programsHandler: (bytes) => createProgramsHandler(this.#services(remoteAccess), bytes),
      policy: {},
      ledger: this.ledger(),
      system: { ...machine, processes: createProcesses() },
      clock: systemClock,
      random: systemRandom,
      log: pino({ level: 'silent' }),
      facts: { encryption_recipient: 'age1example' },
      learnControllerTime: () => undefined,
      ...given,
    };
    this.#served = serveHelper(parts, { path: this.path }, this.#stop.signal);
    await until('the helper answers', () => describeHelper(this.path));
  }

  /** As when its process is told to stop; `begin` starts another. */
  async end(): Promise<void> {
    this.#stop.abort(new Error('the helper stops'));
    await this.#served;
  }

  ledger(): OrderLedger {
    return new OrderLedger(join(this.folder.path, 'orders'));
  }

  /** What the agent knows of it. */
  remote(): RemoteHelper {
    return { path: this.path, controllerNow: () => systemClock.now() };
  }

  /** What the agent hands on: the order as it came, and the signature. */
  context(order: Record<string, unknown>, given: { by?: KeyPair } = {}): DummyContext {
    this.#sequence += 1;
    const text = JSON.stringify({
      device: 'device-1',
      code: 'aB3dE6gH',
      attempt: 1,
      timeoutMs: 60_000,
      force: false,
      expiresAt: systemClock.now() + 60_000,
      sequence: this.#sequence,
      ...order,
    });
    const signature = signText(text, (given.by ?? this.keys).privateKey);
    return Object.assign(dummyContext(), { clock: systemClock, order: { order: text, signature } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    this.folder[Symbol.dispose]();
  }

  #services(remoteAccess: object): SessionServices {
    return {
      streams: createStreams(),
      policy: RemoteAccess.parse(remoteAccess),
      upload: async ({ file }) => void this.uploaded.push(file),
      spool: this.spool,
      deviceName: 'edge-1',
    };
  }
}
