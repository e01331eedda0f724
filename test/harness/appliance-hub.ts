import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Holder, mustRun } from './appliance-command.ts';
import { projectRoot } from './source-files.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const harnessFile = (name: string): string => join(projectRoot, 'test/harness', name);

/** Nothing of a test outlives this. */
const testLifeSeconds = 3600;

/** Where a service listens, as this machine reaches it. */
export interface Service {
  host: string;
  port: number;
}

/**
 * The network that appliances meet in: a namespace with one bridge. Nothing is added to the machine's own namespace;
 * services on its loopback are reached through relays.
 */
export class Hub implements AsyncDisposable {
  readonly name: string;
  /** Where appliances reach what `expose` offers; also their default gateway. */
  readonly address = '10.77.0.1';
  readonly address6 = 'fd77::1';
  /** What lives in it ends at the latest so long after it was opened. */
  readonly lifeSeconds: number;
  readonly #holder: Holder;
  readonly #relays: AsyncDisposable[] = [];
  #hosts = 1;
  #cables = 0;

  private constructor(name: string, holder: Holder, lifeSeconds: number) {
    this.name = name;
    this.lifeSeconds = lifeSeconds;
    this.#holder = holder;
  }

  static async open(lifeSeconds = testLifeSeconds): Promise<Hub> {
    const name = `muster-${process.pid}-${randomBytes(3).toString('hex')}`;
    const holder = await Holder.start(['sh', harnessFile('appliance-hub.sh'), name, `${lifeSeconds}`]);
    return new Hub(name, holder, lifeSeconds);
  }

  /** The next free number in the hub's networks. */
  nextHost(): number {
    return ++this.#hosts;
  }

  /** A network card `nic` for the namespace; its cable ends in the bridge. Returns the name of the end in the hub. */
  async plugIn(namespace: string, nic: { name: string; addresses: string[] }): Promise<string> {
    const cable = `cable${++this.#cables}`;
    const ip = (...args: string[]) => mustRun(['ip', '-n', ...args]);
    await ip(this.name, 'link', 'add', cable, 'type', 'veth', 'peer', 'name', nic.name, 'netns', namespace);
    await ip(this.name, 'link', 'set', cable, 'master', 'bridge', 'up');
    for (const address of nic.addresses) {
      const nodad = address.includes(':') ? ['nodad'] : []; // usable at once
      await ip(namespace, 'address', 'add', address, 'dev', nic.name, ...nodad);
    }
    await ip(namespace, 'link', 'set', nic.name, 'up');
    return cable;
  }

  /** A cable for a machine that brings its own network card; returns the name of the tap device. */
  async plugTap(): Promise<string> {
    const cable = `cable${++this.#cables}`;
    await mustRun(['ip', '-n', this.name, 'tuntap', 'add', 'dev', cable, 'mode', 'tap']);
    await mustRun(['ip', '-n', this.name, 'link', 'set', cable, 'master', 'bridge', 'up']);
    return cable;
  }

  /** Pulls a cable, or puts it back. */
  async plug(cable: string, yes: boolean): Promise<void> {
    await mustRun(['ip', '-n', this.name, 'link', 'set', cable, yes ? 'up' : 'down']);
  }

  /** Connections to `port` of the hub's addresses go to a service, or to a port of this machine's loopback. */
  async expose(port: number, target: number | Service): Promise<void> {
    const folder = temporaryFolder(`${process.pid}-relay`);
    const path = join(folder.path, 'socket');
    const service = typeof target === 'number' ? { host: '127.0.0.1', port: target } : target;
    const gate = await openGate(path, service);
    const holder = await Holder.start([
      ...['ip', 'netns', 'exec', this.name],
      ...[process.execPath, harnessFile('appliance-relay.js'), `${port}`, path],
    ]);
    this.#relays.push({
      async [Symbol.asyncDispose]() {
        await holder[Symbol.asyncDispose]();
        gate.close();
        folder[Symbol.dispose]();
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const relay of this.#relays.splice(0)) await relay[Symbol.asyncDispose]();
    await this.#holder[Symbol.asyncDispose]();
  }
}

/** The near half of a relay. */
async function openGate(path: string, service: Service): Promise<Server> {
  const joinTo = (near: Socket): void => {
    const far = connect({ ...service, allowHalfOpen: true });
    near.pipe(far).pipe(near);
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
  };
  const server = createServer({ allowHalfOpen: true }, joinTo).listen(path);
  await once(server, 'listening');
  return server.unref();
}
