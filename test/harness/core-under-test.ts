import { createInProcessBus } from '../../controller/bus/in-process.ts';
import {
  type ControllerCore,
  type ControllerParts,
  type ControllerSettings,
  createControllerCore,
  defaultSettings,
} from '../../controller/core.ts';
import type { OrganizationRow } from '../../controller/store/access.ts';
import { emptyDatabase, openStore } from '../../controller/store/open.ts';
import type { Store } from '../../controller/store/store.ts';
import type { TaskRow } from '../../controller/store/tasks.ts';
import type { RunRequest } from '../../shared/api/tasks.ts';
import type { DeviceStatus } from '../../shared/api/devices.ts';
import type { Labels } from '../../shared/ids.ts';
import { generateKeyPair, type KeyPair } from '../../shared/node/keys.ts';
import { silentLogger } from '../../shared/node/logger.ts';
import { openSqlite } from '../../shared/node/sqlite.ts';
import { systemRandom } from '../../shared/node/system-clock.ts';
import { memorySocketPair } from './memory-socket.ts';
import { ScriptedDevice, type ScriptedHello } from './scripted-device.ts';
import { TestClock } from './test-clock.ts';
import { until } from './until.ts';

let empty: Promise<Buffer> | undefined;

/** The real core over a real store in memory, with a clock that a test moves and devices that say what a test scripts. */
export class CoreUnderTest implements AsyncDisposable {
  readonly clock: TestClock;
  readonly store: Store;
  readonly keys: KeyPair;
  readonly organization: OrganizationRow;
  core: ControllerCore;
  readonly #settings: ControllerSettings;
  readonly #more: Partial<ControllerParts>;
  #stop = new AbortController();
  #running: Promise<void>;

  private constructor(
    store: Store,
    organization: OrganizationRow,
    settings: Partial<ControllerSettings>,
    more: Partial<ControllerParts>,
  ) {
    this.#more = more;
    this.store = store;
    this.organization = organization;
    this.clock = new TestClock();
    this.keys = generateKeyPair();
    this.#settings = { ...defaultSettings, ...settings };
    this.core = this.#create();
    this.#running = this.core.run(this.#stop.signal);
  }

  static async start(
    settings: Partial<ControllerSettings> = {},
    more: Partial<ControllerParts> = {},
  ): Promise<CoreUnderTest> {
    empty ??= emptyDatabase();
    const store = await openStore({ dialect: 'sqlite', database: openSqlite(await empty) });
    const organization = { id: systemRandom.uuid(), name: 'default', displayName: 'default', createdAt: 0 };
    await store.access.insertOrganization(organization);
    return new CoreUnderTest(store, organization, settings, more);
  }

  /** The controller ends and starts again over the same store; its links are gone. */
  async restart(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#stop = new AbortController();
    this.core = this.#create();
    this.#running = this.core.run(this.#stop.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.store.close();
  }

  get actor() {
    return {
      name: 'somebody@example.org',
      organizationId: this.organization.id,
      ipAddress: null,
      requestId: null,
    };
  }

  async device(name: string, over: { status?: DeviceStatus; labels?: Labels } = {}): Promise<string> {
    const id = systemRandom.uuid();
    await this.store.devices.insert({
      id,
      organizationId: this.organization.id,
      name,
      status: over.status ?? 'ENABLED',
      publicKey: generateKeyPair().publicKey,
      labels: over.labels ?? {},
      agentVersion: '0.1.0',
      createdAt: this.clock.now(),
    });
    return id;
  }

  /** Opens a link without saying hello. */
  link(deviceId: string): ScriptedDevice {
    const [here, there] = memorySocketPair();
    const device = new ScriptedDevice(deviceId, there);
    this.core.openLink({ id: deviceId, organizationId: this.organization.id }, here);
    return device;
  }

  /** Opens a link, says hello, and waits for the welcome. */
  async connect(deviceId: string, hello: Partial<ScriptedHello> = {}): Promise<ScriptedDevice> {
    const device = this.link(deviceId);
    device.hello(hello);
    await device.next('welcome');
    return device;
  }

  /** Makes a run and returns the codes of its tasks. */
  async submit(devices: string[], over: Partial<RunRequest> = {}): Promise<string[]> {
    const { answer } = await this.core.submit({
      actor: this.actor,
      organization: this.organization,
      trigger: 'manual',
      request: { type: 'PING', targets: { devices }, force: false, dry_run: false, ...over },
    });
    return answer.tasks.map(({ task }) => task);
  }

  async task(code: string): Promise<TaskRow> {
    const task = await this.store.tasks.get(undefined, code);
    if (task === undefined) throw new Error(`there is no task ${code}`);
    return task;
  }

  async reaches(code: string, status: TaskRow['status']): Promise<TaskRow> {
    let last: TaskRow | undefined;
    return until(
      `task ${code} is ${status}`,
      async () => {
        last = await this.task(code);
        return last.status === status ? last : undefined;
      },
      { everyMs: 2, last: () => `${last?.status} ${last?.errorCode}` },
    );
  }

  /** Events so far, as `type` texts, of one task or of all. */
  async eventTypes(taskCode?: string): Promise<string[]> {
    const events = await this.store.events.read({ organizationId: this.organization.id }, 0, 10_000);
    return events
      .filter((event) => taskCode === undefined || event.taskCode === taskCode)
      .map(({ type }) => type);
  }

  #create(): ControllerCore {
    return createControllerCore({
      store: this.store,
      bus: createInProcessBus(),
      clock: this.clock,
      random: systemRandom,
      log: silentLogger(),
      identity: { controllerId: 'controller', keys: this.keys },
      settings: this.#settings,
      ...this.#more,
    });
  }
}
