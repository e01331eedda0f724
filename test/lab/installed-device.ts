import type { Task } from '../../shared/api/tasks.ts';
import { Appliance, type ApplianceOptions } from '../harness/appliance.ts';
import type { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';
import { builtPackages } from './built-packages.ts';
import { VirtualMachine, type VirtualMachineOptions } from './machine/virtual-machine.ts';

/** What both kinds of machines can do. */
type Box = AsyncDisposable & Pick<Appliance, 'exec' | 'must' | 'expose'>;

interface Reaching {
  /** Of this machine's loopback, where the device reaches its controller; the controller's own when not said. */
  controllerPort?: number;
}

type InstalledDeviceOptions = ApplianceOptions & Reaching;

/** A Debian machine with the real package on it, and a controller outside that it reaches over its network. */
export class InstalledDevice<Machine extends Box = Appliance> implements AsyncDisposable {
  readonly box: Machine;
  readonly name: string;
  readonly #cluster: Cluster;

  private constructor(box: Machine, name: string, cluster: Cluster) {
    this.box = box;
    this.name = name;
    this.#cluster = cluster;
  }

  /** Boots it, and installs the package as an administrator would. */
  static async install(
    cluster: Cluster,
    name: string,
    { controllerPort, ...options }: InstalledDeviceOptions = {},
  ): Promise<InstalledDevice> {
    const { agent } = await builtPackages();
    return InstalledDevice.#reaching(cluster, name, {
      controllerPort,
      box: await Appliance.boot({ name, ...options }),
      prepare: async (box) => {
        await allowServices(box);
        await box.must('dpkg', '--install', agent);
      },
    });
  }

  /** As `install`, then enrolled, approved, and online. */
  static async enrolled(
    cluster: Cluster,
    name: string,
    options: InstalledDeviceOptions = {},
  ): Promise<InstalledDevice> {
    const device = await InstalledDevice.install(cluster, name, options);
    await device.enrol();
    return device;
  }

  /** As `enrolled`, on a machine that has a disk and a clock of its own. */
  static async onVirtualMachine(
    cluster: Cluster,
    name: string,
    { controllerPort, ...options }: VirtualMachineOptions & Reaching = {},
  ): Promise<InstalledDevice<VirtualMachine>> {
    const { agent } = await builtPackages();
    const device = await InstalledDevice.#reaching(cluster, name, {
      controllerPort,
      box: await VirtualMachine.start({ name, packages: [agent], ...options }),
    });
    await device.enrol();
    return device;
  }

  static async #reaching<Machine extends Box>(
    cluster: Cluster,
    name: string,
    parts: { box: Machine; controllerPort: number | undefined; prepare?: (box: Machine) => Promise<void> },
  ): Promise<InstalledDevice<Machine>> {
    const { box, controllerPort = cluster.controller.port, prepare } = parts;
    try {
      await box.expose(7443, controllerPort);
      await prepare?.(box);
      return new InstalledDevice(box, name, cluster);
    } catch (error) {
      await box[Symbol.asyncDispose]();
      throw error;
    }
  }

  async enrol(): Promise<void> {
    const token = this.#cluster.controller.enrolmentToken;
    await this.box.must('muster-agent', 'enrol', token, '--url', 'http://hub:7443', '--name', this.name);
    await this.#cluster.approve(this.name);
    await this.online();
  }

  online(online = true): Promise<void> {
    return this.#cluster.online(this.name, online, 180_000);
  }

  /** Sends a task, waits for its end, and returns it. */
  async run(type: string, parameters: Record<string, unknown> = {}, deadlineMs = 120_000): Promise<Task> {
    return this.#cluster.controller.ended(await this.submit(type, parameters), deadlineMs);
  }

  /** Sends a task; returns its code. */
  async submit(
    type: string,
    parameters: Record<string, unknown> = {},
    more: Record<string, unknown> = {},
  ): Promise<string> {
    const request = { type, payload: parameters, targets: { devices: [this.name] }, ...more };
    const [code] = await this.#cluster.controller.run(request);
    if (code === undefined) throw new Error(`no ${type} was made`);
    return code;
  }

  /** Waits until the agent says that it holds a task in this state. */
  async holds(code: string, state: string): Promise<void> {
    const status = () => this.box.must('muster-agent', 'status', '-f', 'json');
    await until(
      `${code} is ${state} on ${this.name}`,
      async () => {
        const { tasks } = JSON.parse(await status()) as { tasks: { code: string; state: string }[] };
        return tasks.some((task) => task.code === code && task.state === state);
      },
      { last: status },
    );
  }

  /** Whether a file is there. */
  async has(path: string): Promise<boolean> {
    return (await this.box.exec(['test', '-e', path])).exitCode === 0;
  }

  /** What the services of the agent wrote to the journal. */
  journal(): Promise<string> {
    return this.box.must('journalctl', '--no-pager', '-o', 'cat', '-u', 'muster-agent*');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.box[Symbol.asyncDispose]();
  }
}

/** Images for containers forbid packages to start and stop services; a real machine does not. */
export async function allowServices(box: Appliance): Promise<void> {
  await box.must('rm', '-f', '/usr/sbin/policy-rc.d');
}
