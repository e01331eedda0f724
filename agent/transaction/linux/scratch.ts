import type { Scratch, ScratchOptions, Workspace } from '../machine.ts';
import { ScratchEnd } from './scratch-end.ts';
import { readHostNetwork, type WayOut } from './scratch-host.ts';
import { joinNetworks } from './scratch-network.ts';

/**
 * A network namespace that looks like the host's, joined to one that answers as the controller does. Neither has a name
 * nor an interface on the host: both end with the processes in them, which end with this agent at the latest.
 */
export class LinuxScratch implements Scratch {
  readonly name: string;
  readonly #inside: ScratchEnd;
  readonly #outside: ScratchEnd;
  readonly #ways: WayOut[];
  readonly #port: number;

  private constructor(parts: {
    name: string;
    inside: ScratchEnd;
    outside: ScratchEnd;
    ways: WayOut[];
    port: number;
  }) {
    this.name = parts.name;
    this.#inside = parts.inside;
    this.#outside = parts.outside;
    this.#ways = parts.ways;
    this.#port = parts.port;
  }

  static async open(name: string, { controller, signal }: ScratchOptions): Promise<LinuxScratch> {
    signal.throwIfAborted();
    await using opened = new AsyncDisposableStack();
    const ends = [ScratchEnd.open(), ScratchEnd.open()] as const; // while the host's network is read
    for (const end of ends)
      opened.defer(async () => (await end.catch(() => undefined))?.[Symbol.asyncDispose]());
    const network = await readHostNetwork(controller);
    const [inside, outside] = await Promise.all(ends);
    await joinNetworks({ inside: inside.pid, outside: outside.pid }, network);
    for (const { kind, address } of network.ways) {
      await (kind === 'local' ? inside : outside).listen(address, controller.port);
    }
    signal.throwIfAborted();
    opened.move();
    return new LinuxScratch({ name, inside, outside, ways: network.ways, port: controller.port });
  }

  /** What has to stand before a program so that it runs in the namespace. */
  get entrance(): string[] {
    return ['nsenter', `--net=/proc/${this.#inside.pid}/ns/net`, '--'];
  }

  /** Good if one of the controller's addresses can be reached, as it is for the agent. */
  async connect(
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<{ ok: boolean; ms: number; error?: string }> {
    signal.throwIfAborted();
    const attempts = await Promise.all(
      this.#ways.map(async ({ address }) => ({
        address,
        ...(await this.#inside.connect(address, this.#port, timeoutMs)),
      })),
    );
    signal.throwIfAborted();
    const good = attempts.find(({ ok }) => ok);
    if (good) return { ok: true, ms: good.ms };
    const errors = attempts.map(({ address, error }) => `${address} port ${this.#port}: ${error}`);
    return { ok: false, ms: Math.max(...attempts.map(({ ms }) => ms)), error: errors.join('; ') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#inside[Symbol.asyncDispose](), this.#outside[Symbol.asyncDispose]()]);
  }
}

/** A scratch namespace for this transaction. */
export const openScratch = (
  workspace: Pick<Workspace, 'id'>,
  options: ScratchOptions,
): Promise<LinuxScratch> => LinuxScratch.open(`scratch of ${workspace.id}`, options);
