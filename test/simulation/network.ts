import type { FrameSocket } from '../../shared/frame-socket.ts';
import { Connection, type Cut, type Surroundings } from './connection.ts';
import type { Process } from './process.ts';

/** The side that answers dials. */
export interface Server {
  /** Undefined while the controller is down. */
  process: Process | undefined;
  /** Throws what the device is told instead of a link. */
  admit(deviceId: string): void;
  /** The machine of this device lets no new connection through. */
  isLockedOut(deviceId: string): boolean;
  openLink(deviceId: string, socket: FrameSocket): void;
}

export interface Dialer {
  deviceId: string;
  process: Process;
  signal: AbortSignal;
}

/** Every connection between the devices and the controller, and what goes wrong with them. */
export class Network {
  /** Devices that cannot reach the controller: new dials fail. */
  readonly partitioned = new Set<string>();
  readonly #around: Surroundings;
  readonly #server: Server;
  readonly #connections = new Map<string, Connection[]>();
  /** Cuts that wait for the n-th frame of a device's connections. */
  readonly #planned = new Map<string, { frames: number; cut: Cut }>();
  #dials = 0;

  constructor(around: Surroundings, server: Server) {
    this.#around = around;
    this.#server = server;
  }

  /** Settles when the controller answered: an open socket, a refusal, or the failure to reach it. */
  dial(dialer: Dialer): Promise<FrameSocket> {
    const { scheduler, delayMs } = this.#around;
    return new Promise((resolve, reject) => {
      dialer.signal.addEventListener('abort', () => reject(dialer.signal.reason as Error), { once: true });
      const settleLater = (settleNow: () => void): void =>
        scheduler.after(delayMs(), () => {
          if (dialer.process.alive) settleNow();
        });
      scheduler.after(delayMs(), () => {
        if (!dialer.process.alive || dialer.signal.aborted) return;
        try {
          const connection = this.#connect(dialer);
          settleLater(() => finishDial(connection.agentSocket, dialer.signal, resolve, reject));
        } catch (error) {
          settleLater(() => reject(error as Error));
        }
      });
    });
  }

  /** Connections of a device that at least one side believes in, oldest first. */
  open(deviceId: string): Connection[] {
    const open = (this.#connections.get(deviceId) ?? []).filter((connection) => connection.open);
    this.#connections.set(deviceId, open);
    return open;
  }

  /** Cuts the connection that takes the n-th frame from now, either way, with that frame under way. */
  cutAtFrame(deviceId: string, frames: number, cut: Cut): void {
    this.#planned.set(deviceId, { frames, cut });
  }

  /** Whatever was planned will not happen. */
  calm(): void {
    this.#planned.clear();
  }

  cutAll(deviceId: string, cut: Cut): void {
    for (const connection of this.open(deviceId)) connection.cut(cut);
  }

  #connect({ deviceId, process }: Dialer): Connection {
    const server = this.#requireWay(deviceId);
    if (this.#server.isLockedOut(deviceId)) throw new Error('the machine blocks new connections');
    this.#dials += 1;
    const connection = new Connection({
      name: `#${this.#dials}`,
      agent: process,
      controller: server,
      around: this.#around,
      sent: (one) => this.#sent(deviceId, one),
    });
    this.#connections.set(deviceId, [...this.open(deviceId), connection]);
    this.#around.trace.add(process.name, `link #${this.#dials} opens`);
    this.#server.openLink(deviceId, connection.controllerSocket);
    return connection;
  }

  /** Why a new connection of this device fails on its way, or is refused at the end of it; undefined when it would be let in. */
  problem(deviceId: string): string | undefined {
    try {
      this.#requireWay(deviceId);
      return undefined;
    } catch (error) {
      return String(error);
    }
  }

  #requireWay(deviceId: string): Process {
    const server = this.#server.process;
    if (this.partitioned.has(deviceId) || !server?.alive) throw new Error('the controller cannot be reached');
    this.#server.admit(deviceId);
    return server;
  }

  #sent(deviceId: string, connection: Connection): void {
    const planned = this.#planned.get(deviceId);
    if (!planned) return;
    planned.frames -= 1;
    if (planned.frames > 0) return;
    this.#planned.delete(deviceId);
    this.#around.trace.add('network', `cuts ${deviceId}`);
    connection.cut(planned.cut);
  }
}

function finishDial(
  socket: FrameSocket & { readonly closed: boolean },
  signal: AbortSignal,
  resolve: (socket: FrameSocket) => void,
  reject: (error: Error) => void,
): void {
  if (signal.aborted) socket.terminate();
  else if (socket.closed) reject(new Error('the connection broke while it was opened'));
  else resolve(socket);
}
