import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommandEnd, type CommandOptions, command, Holder, mustRun } from './appliance-command.ts';
import { containerCommand, firstProcess, hierarchies, killContainer } from './appliance-container.ts';
import { Hub, harnessFile, type Service } from './appliance-hub.ts';
import { prepareRoot, writeInto } from './appliance-root.ts';
import { lacks } from './not-tested.ts';
import { until } from './until.ts';

export interface ApplianceOptions {
  /** Its host name. */
  name?: string;
  /** Units that start at boot: installed on this machine, or among `files`. All others are there, but nobody starts them. */
  units?: string[];
  /** Path to text, written before the first boot. */
  files?: Record<string, string>;
  /** Its network cards, all on the hub's bridge; the first one gets the default route. Without addresses: the next free ones. */
  nics?: { name: string; addresses?: string[] }[];
  /** The network to join; otherwise one of its own. */
  hub?: Hub;
}

/** Of programs inside. */
export const insideEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
};

/** systemd-nspawn ends with it when the machine inside wants to be started again. */
const rebootStatus = 133;

/** Why no appliance can be had on this machine, or undefined. */
export function applianceUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'Only root may start one';
  const programs = ['systemd-nspawn', 'systemctl', 'dbus-daemon', 'ip', 'nft', 'nsenter', 'unshare'];
  return programs.map(lacks).find((reason) => reason !== undefined);
}

/**
 * A Debian machine with systemd as PID 1: this machine's own root with changes of its own (in memory), cgroups, a
 * network namespace and a boot id. Files outlive reboots and power cuts; nft rules and addresses do not, as on a real
 * box. Its /proc/uptime is this machine's.
 */
export class Appliance implements AsyncDisposable {
  readonly name: string;
  readonly hub: Hub;
  readonly #folder: string;
  readonly #keeper: Holder;
  readonly #nics: { name: string; addresses: string[] }[];
  readonly #ownsHub: boolean;
  #container: ChildProcess | undefined;
  #leader: number | undefined;
  #boots = 0;
  #cables: string[] = [];
  #starting: Promise<void> | undefined;
  #disposed = false;

  private constructor(parts: {
    name: string;
    hub: Hub;
    ownsHub: boolean;
    folder: string;
    keeper: Holder;
    nics: { name: string; addresses: string[] }[];
  }) {
    this.name = parts.name;
    this.hub = parts.hub;
    this.#ownsHub = parts.ownsHub;
    this.#folder = parts.folder;
    this.#keeper = parts.keeper;
    this.#nics = parts.nics;
  }

  /** Boots one, and settles when all its services have started. */
  static async boot(options: ApplianceOptions = {}): Promise<Appliance> {
    const hub = options.hub ?? (await Hub.open());
    await using undo = new AsyncDisposableStack();
    if (!options.hub) undo.use(hub);
    const name = `muster-${process.pid}-${randomBytes(3).toString('hex')}`;
    const folder = mkdtempSync(join(tmpdir(), `${name}-`));
    mkdirSync(join(folder, 'disk'));
    const keeper = await Holder.start([
      ...['unshare', '--mount', '--propagation', 'slave'],
      ...['sh', harnessFile('appliance-keeper.sh'), name, folder, `${hub.lifeSeconds}`, ...hierarchies()],
    ]);
    undo.use(keeper);
    const nics = (options.nics ?? [{ name: 'eth0' }]).map((nic) => {
      const host = hub.nextHost();
      return { name: nic.name, addresses: nic.addresses ?? [`10.77.0.${host}/24`, `fd77::${host}/64`] };
    });
    const appliance = new Appliance({ name, hub, ownsHub: !options.hub, folder, keeper, nics });
    const { name: hostName = 'appliance', units = [], files = {} } = options;
    prepareRoot(appliance.#root, { hostName, hub: hub.address, units, files });
    await appliance.start();
    undo.move();
    return appliance;
  }

  /** Addresses of its network cards, without the prefix length. */
  get addresses(): string[] {
    return this.#nics.flatMap(({ addresses }) => addresses).map((address) => address.replace(/\/.*/, ''));
  }

  /** How often it was switched on or has rebooted. */
  get boots(): number {
    return this.#boots;
  }

  get isOn(): boolean {
    return this.#leader !== undefined;
  }

  /** What it wrote to its console, in all boots. */
  console(): string {
    return readFileSync(join(this.#folder, 'console.log'), 'utf8');
  }

  /** Runs a program inside, whatever its network does, as root with all capabilities of this machine. */
  async exec(argv: string[], options: CommandOptions = {}): Promise<CommandEnd> {
    return command(this.entering(argv), { ...options, env: { ...insideEnvironment, ...options.env } });
  }

  /** Runs a program that must end with 0; returns what it wrote to stdout. */
  async must(...argv: string[]): Promise<string> {
    return mustRun(this.entering(argv), { env: insideEnvironment });
  }

  /** A long-running program inside. It ends with the appliance, and when the returned process is killed. */
  spawn(argv: string[], options: { env?: Record<string, string> } = {}): ChildProcess {
    const [file = '', ...args] = this.entering(argv);
    return spawn(file, args, {
      env: { ...insideEnvironment, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** What runs a program inside when it is run out here, by whomever; the program ends with its caller. */
  entering(argv: string[]): string[] {
    if (this.#leader === undefined) throw new Error(`${this.name} is not running`);
    return [
      'nsenter',
      '--target',
      `${this.#leader}`,
      '--all',
      '--',
      'setpriv',
      '--pdeathsig',
      'KILL',
      ...argv,
    ];
  }

  async write(path: string, text: string, { mode = 0o644 }: { mode?: number } = {}): Promise<void> {
    if (this.#leader === undefined) return writeInto(this.#root, path, text, mode);
    const program = 'mkdir -p "${1%/*}/" && rm -f "$1" && cat >"$1" && chmod "$2" "$1"';
    const argv = ['sh', '-c', program, 'sh', path, mode.toString(8)];
    await mustRun(this.entering(argv), { env: insideEnvironment, input: text });
  }

  async read(path: string): Promise<string> {
    if (this.#leader === undefined) return readFileSync(join(this.#root, path), 'utf8');
    return this.must('cat', path);
  }

  bootId(): Promise<string> {
    return this.must('cat', '/proc/sys/kernel/random/boot_id').then((text) => text.trim());
  }

  /** Switches it on, and settles when all its services have started. */
  async start(): Promise<void> {
    if (this.#container) throw new Error(`${this.name} is running already`);
    this.#starting = this.#boot();
    await this.#starting;
  }

  /** Reboots it as an administrator would, and settles when it is up again. */
  async reboot(): Promise<void> {
    const before = this.#boots;
    await this.exec(['systemctl', 'reboot']);
    await this.booted(before + 1);
  }

  /** Settles when it is up for the n-th time: for reboots that something inside asked for. */
  async booted(times: number): Promise<void> {
    await until(`${this.name} boots for the ${times}. time`, () => this.#boots >= times, {
      last: () => this.console().slice(-2000),
    });
    await this.#starting;
  }

  /** A power cut: every process inside is gone at once. Files are as they were written; `start` switches it on again. */
  async kill(): Promise<void> {
    const container = this.#container;
    if (!container || this.#leader === undefined) throw new Error(`${this.name} is not running`);
    const ended = once(container, 'exit');
    killContainer(this.name, this.#leader);
    await ended;
  }

  /** Pulls the cables, or puts them back. */
  async connected(yes: boolean): Promise<void> {
    for (const cable of this.#cables) await this.hub.plug(cable, yes);
  }

  /** Connections to `port` of the hub's address go to a service, or to a port of this machine's loopback. */
  expose(port: number, target: number | Service): Promise<void> {
    return this.hub.expose(port, target);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.#keeper[Symbol.asyncDispose]();
    await this.#starting?.catch(() => {});
    if (this.#ownsHub) await this.hub[Symbol.asyncDispose]();
  }

  get #root(): string {
    return join(`/proc/${this.#keeper.pid}/root`, this.#folder, 'disk/root');
  }

  async #boot(): Promise<void> {
    await this.#freshNetwork();
    const log = openSync(join(this.#folder, 'console.log'), 'a');
    const [file = '', ...args] = containerCommand(
      this.#keeper.pid,
      this.name,
      join(this.#folder, 'disk/root'),
    );
    const container = spawn(file, args, {
      env: {
        ...insideEnvironment,
        SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1',
        SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'network',
      },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#container = container;
    this.#boots++;
    container.once('exit', (status) => {
      this.#container = undefined;
      this.#leader = undefined;
      if (status !== rebootStatus || this.#disposed) return;
      this.#starting = this.#boot();
      this.#starting.catch(() => {}); // told by `booted`
    });
    await this.#running(container);
  }

  /** Firewall rules and addresses belong to the namespace: each boot gets a new one. */
  async #freshNetwork(): Promise<void> {
    await command(['ip', 'netns', 'delete', this.name]);
    await mustRun(['ip', 'netns', 'add', this.name]);
    await mustRun(['ip', '-n', this.name, 'link', 'set', 'lo', 'up']);
    this.#cables = [];
    for (const nic of this.#nics) this.#cables.push(await this.hub.plugIn(this.name, nic));
    const first = this.#nics[0]?.addresses ?? [];
    const route = (...args: string[]) => mustRun(['ip', '-n', this.name, ...args]);
    if (first.some((address) => address.startsWith('10.77.0.'))) {
      await route('route', 'add', 'default', 'via', this.hub.address);
    }
    if (first.some((address) => address.startsWith('fd77::'))) {
      await route('-6', 'route', 'add', 'default', 'via', this.hub.address6);
    }
  }

  async #running(container: ChildProcess): Promise<void> {
    const last = () => this.console().slice(-2000);
    this.#leader = await until(`${this.name} has a first process`, () => firstProcess(this.name, container), {
      last,
    });
    const state = async () => {
      if (container.exitCode !== null) return 'ended';
      const { stdout } = await this.exec(['systemctl', 'is-system-running', '--wait']);
      return /^(running|degraded)$/m.exec(stdout)?.[0];
    };
    const reached = await until(`${this.name} is up`, state, { last });
    if (reached === 'ended') throw new Error(`${this.name} ended while it booted: ${last()}`);
  }
}
