import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandEnd, type CommandOptions, Holder } from '../../harness/appliance-command.ts';
import { Hub } from '../../harness/appliance-hub.ts';
import { until } from '../../harness/until.ts';
import { DiskServer } from './disk-server.ts';
import { Emulator, type StopReason } from './emulator.ts';
import { GuestAgent } from './guest-agent.ts';
import { type MachineImage, machineImage } from './machine-image.ts';
import { MountedDisk } from './mounted-disk.ts';
import { copyDisk, makeOwn } from './own-disk.ts';
import { type CutAccount, VolatileDisk, type WriteCache } from './volatile-disk.ts';

export interface VirtualMachineOptions {
  /** Its host name. */
  name?: string;
  /** Units that start at boot, beside those of the image and of `packages`. */
  units?: string[];
  /** Path to text, written before the first boot. */
  files?: Record<string, string>;
  /** Debian packages, installed before the first boot. */
  packages?: string[];
  /** The network to join; otherwise one of its own. */
  hub?: Hub;
  /** What its clock shows at first; otherwise the true time. */
  clock?: Date;
}

interface Parts {
  name: string;
  hub: Hub;
  folder: string;
  image: MachineImage;
  disk: VolatileDisk;
  card: { tap: string; mac: string };
}

/** Emulated, beside other work on the same processors. */
const bootMs = 300_000;

const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/tmp',
  LANG: 'C.UTF-8',
};

/**
 * A Debian machine with a kernel, a clock, a power switch and a disk of its own, emulated. A power cut takes from its
 * disk what was not flushed. It takes a hundred times longer to boot than an `Appliance`, which suffices for all else.
 */
export class VirtualMachine implements AsyncDisposable {
  readonly name: string;
  readonly hub: Hub;
  readonly #parts: Parts;
  readonly #agent: GuestAgent;
  readonly #undo: AsyncDisposableStack;
  #emulator: Emulator | undefined;
  #server: DiskServer | undefined;
  #boots = 0;
  #consoleBefore = 0;
  #starting: Promise<void> | undefined;

  private constructor(parts: Parts, undo: AsyncDisposableStack) {
    this.name = parts.name;
    this.hub = parts.hub;
    this.#parts = parts;
    this.#agent = new GuestAgent(join(parts.folder, 'guest-agent'));
    this.#undo = undo;
  }

  /** Boots one, and settles when all its services have started. */
  static async start(options: VirtualMachineOptions = {}): Promise<VirtualMachine> {
    const image = await machineImage();
    await using undo = new AsyncDisposableStack();
    const hub = options.hub ?? undo.use(await Hub.open());
    const folder = mkdtempSync(join(tmpdir(), `muster-${process.pid}-machine-`));
    undo.use(await Holder.start(['sh', '-c', removesAtEnd, 'sh', folder]));
    const file = join(folder, 'disk.img');
    copyDisk(image.disk, file);
    const { name = 'machine' } = options;
    const host = hub.nextHost();
    await makeOwn(file, { ...options, name, address: `10.77.0.${host}`, hub: hub.address });
    const disk = undo.use(new VolatileDisk(file));
    const mac = `02:00:00:00:00:${host.toString(16).padStart(2, '0')}`;
    const card = { tap: await hub.plugTap(), mac };
    const machine = new VirtualMachine({ name, hub, folder, image, disk, card }, undo.move());
    try {
      await machine.start(options);
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** How often it was switched on or has rebooted. */
  get boots(): number {
    return this.#boots;
  }

  /** What it wrote to its console, its journal among it: in all boots, or since it was started last. */
  console({ thisBoot = false }: { thisBoot?: boolean } = {}): string {
    const text = readFileSync(join(this.#parts.folder, 'console.log'), 'utf8');
    return thisBoot ? text.slice(this.#consoleBefore) : text;
  }

  /** Runs a program inside, as root, whatever its network does. */
  exec(argv: string[], options: CommandOptions = {}): Promise<CommandEnd> {
    if (!this.#emulator) throw new Error(`${this.name} is off`);
    return this.#agent.exec(argv, { ...options, env: { ...environment, ...options.env } });
  }

  /** Runs a program that must end with 0; returns what it wrote to stdout. */
  async must(...argv: string[]): Promise<string> {
    const { exitCode, signal, stdout, stderr } = await this.exec(argv);
    if (exitCode === 0) return stdout;
    throw new Error(`${argv.join(' ').slice(0, 300)} ended with ${exitCode ?? signal}: ${stderr}${stdout}`);
  }

  async write(path: string, text: string, { mode = 0o644 }: { mode?: number } = {}): Promise<void> {
    const program = 'mkdir -p "${1%/*}/" && rm -f "$1" && cat >"$1" && chmod "$2" "$1"';
    const { exitCode, stderr } = await this.exec(['sh', '-c', program, 'sh', path, mode.toString(8)], {
      input: text,
    });
    if (exitCode !== 0) throw new Error(`${path} could not be written: ${stderr}`);
  }

  /** Also while it is off. */
  async read(path: string): Promise<string> {
    if (this.#emulator) return this.must('cat', path);
    await using mounted = await MountedDisk.open(join(this.#parts.folder, 'disk.img'));
    return readFileSync(join(mounted.path, path), 'utf8');
  }

  async bootId(): Promise<string> {
    return (await this.read('/proc/sys/kernel/random/boot_id')).trim();
  }

  /** Switches it on, and settles when all its services have started. */
  async start({ clock }: { clock?: Date } = {}): Promise<void> {
    if (this.#emulator) throw new Error(`${this.name} is running already`);
    this.#starting = this.#boot(clock);
    await this.#starting;
  }

  /** Settles when it is up for the n-th time: for reboots that something inside asked for. */
  async booted(times: number): Promise<void> {
    await until(`${this.name} boots for the ${times}. time`, () => this.#boots >= times, {
      deadlineMs: bootMs,
      last: () => this.#lastWords(),
    });
    await this.#starting;
  }

  /** A power cut; `start` switches it on again. */
  async powerCut(cache: WriteCache = 'lose'): Promise<CutAccount> {
    const emulator = this.#emulator;
    if (!emulator) throw new Error(`${this.name} is not running`);
    emulator.kill();
    this.#server?.stop();
    const account = this.#parts.disk.cut(cache);
    await emulator.stopped;
    await this.#server?.[Symbol.asyncDispose]();
    this.#emulator = undefined;
    return account;
  }

  /** As `powerCut`, of which the disk forgets the most: the name that other kinds of machines have for it. */
  async kill(): Promise<void> {
    await this.powerCut('lose');
  }

  /** Settles when it has switched itself off. */
  async off(): Promise<void> {
    await until(`${this.name} is off`, () => !this.#emulator, {
      deadlineMs: bootMs,
      last: () => this.#lastWords(),
    });
  }

  /** Shows what a power cut right now would leave on the disk; the machine goes on. */
  async cutPoint<Result>(
    cache: WriteCache,
    look: (left: MountedDisk) => Promise<Result> | Result,
  ): Promise<Result> {
    const copy = join(this.#parts.folder, 'cut.img');
    try {
      copyDisk(join(this.#parts.folder, 'disk.img'), copy);
      this.#parts.disk.cutInto(copy, cache);
      await using mounted = await MountedDisk.open(copy);
      return await look(mounted);
    } finally {
      rmSync(copy, { force: true });
    }
  }

  /** Pulls its network cable, or puts it back. */
  connected(yes: boolean): Promise<void> {
    return this.hub.plug(this.#parts.card.tap, yes);
  }

  /** Connections to `port` of the hub's address go to a port of this machine's loopback. */
  expose(port: number, targetPort: number): Promise<void> {
    return this.hub.expose(port, targetPort);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#emulator) await this.powerCut();
    await this.#starting?.catch(() => {});
    await this.#undo[Symbol.asyncDispose]();
  }

  async #boot(clock?: Date): Promise<void> {
    const { folder, image, disk, card, hub } = this.#parts;
    for (const name of ['disk', 'guest-agent']) rmSync(join(folder, name), { force: true });
    this.#server = await DiskServer.listen(disk, join(folder, 'disk'));
    this.#consoleBefore = this.#boots === 0 ? 0 : this.console().length;
    const emulator = new Emulator({ image, folder, card, namespace: hub.name, ...(clock && { clock }) });
    this.#emulator = emulator;
    this.#boots++;
    void emulator.stopped.then((reason) => this.#ended(reason));
    await until(
      `${this.name} is up`,
      () => this.#emulator !== emulator || this.console({ thisBoot: true }).includes('Startup finished'),
      { deadlineMs: bootMs, everyMs: 200, last: () => this.#lastWords() },
    );
    if (this.#emulator !== emulator) {
      throw new Error(`${this.name} went off while it booted: ${this.#lastWords()}`);
    }
  }

  async #ended(reason: StopReason): Promise<void> {
    if (reason === 'killed') return; // by `powerCut`, which does the rest
    await this.#server?.[Symbol.asyncDispose]();
    this.#parts.disk.flush();
    this.#emulator = undefined;
    if (reason !== 'reboot') return;
    this.#starting = this.#boot();
    this.#starting.catch(() => {}); // told by `booted`
  }

  #lastWords(): string {
    const errors = readFileSync(join(this.#parts.folder, 'emulator.log'), 'utf8');
    return `${errors}${this.console({ thisBoot: true }).slice(-2000)}`;
  }
}

/** Also when the process that started it is killed. */
const removesAtEnd = 'trap "" INT TERM HUP; echo ready; cat >/dev/null; rm -rf "$1"';
