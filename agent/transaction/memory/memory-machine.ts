import type { Clock } from '../../../shared/clock.ts';
import type { DeviceProfile, UnitCommand } from '../../../shared/device-profile.ts';
import { TaskError } from '../../../shared/errors.ts';
import { isOver } from '../../../shared/transaction.ts';
import type {
  CommandPlace,
  CommandRecord,
  ConfirmedState,
  FileState,
  RunOptions,
  Scratch,
  TransactionMachine,
  Workspace,
} from '../machine.ts';
import { MemoryCommands } from './memory-commands.ts';
import { MemoryDisk } from './memory-disk.ts';
import { MemoryGuard, type MemoryGuardParts, stateOf } from './memory-guard.ts';
import { MemoryServices } from './memory-services.ts';
import { MemoryWorkspace } from './memory-workspace.ts';

export interface MemoryMachineParts {
  profile: DeviceProfile;
  /** Of the boot. */
  clock: Clock;
  bootId: string;
  disk?: MemoryDisk;
  /** Passes between any two things that a power cut could come between; nothing by default. */
  step?: () => Promise<void>;
  /** Told of every record of a journal. */
  recorded?: MemoryGuardParts['recorded'];
}

/** One boot of a machine in memory, made by `bootMemoryMachine`; its disk is handed on to the next. */
export class MemoryMachine implements TransactionMachine {
  readonly disk: MemoryDisk;
  readonly services: MemoryServices;
  readonly commands: MemoryCommands;
  readonly guard: MemoryGuard;
  readonly currentBootId: string;
  /** Folders that are links, and where they lead. */
  readonly links = new Map<string, string>();
  readonly #clock: Clock;
  readonly #bootedMs: number;

  constructor(parts: MemoryMachineParts) {
    const { profile, clock, bootId, disk = new MemoryDisk(), step = async () => {} } = parts;
    const { recorded = () => {} } = parts;
    this.disk = disk;
    this.currentBootId = bootId;
    this.#clock = clock;
    this.#bootedMs = clock.monotonic();
    this.services = new MemoryServices(profile, disk.files);
    this.commands = new MemoryCommands(this.services, clock);
    const { commands } = this;
    this.guard = new MemoryGuard({
      disk,
      clock,
      bootId,
      uptimeMs: () => this.uptimeMs(),
      step,
      recorded,
      runCommand: (argv) => commands.onHost(argv).exitCode === 0,
    });
  }

  async bootId(): Promise<string> {
    return this.currentBootId;
  }

  uptimeMs(): number {
    return this.#clock.monotonic() - this.#bootedMs;
  }

  async begin(id: string): Promise<Workspace> {
    const pending = await this.pending();
    if (pending)
      throw new TaskError('busy', `Transaction ${pending.id} is not over; ${id} has to wait for its end`);
    if (this.disk.transactions.has(id)) {
      throw new TaskError('busy', `Transaction ${id} was made before and is over; expected a new one`);
    }
    const stored = {
      id,
      journal: [],
      staged: new Map(),
      snapshot: new Map(),
      kept: new Map(),
      commands: [],
    };
    this.disk.transactions.set(id, stored);
    this.guard.append(stored, 'RECEIVED', '');
    return this.#workspace(id);
  }

  async find(id: string): Promise<Workspace | undefined> {
    return this.disk.transactions.has(id) ? this.#workspace(id) : undefined;
  }

  async pending(): Promise<Workspace | undefined> {
    const open = [...this.disk.transactions.values()].find((transaction) => !isOver(stateOf(transaction)));
    return open && this.#workspace(open.id);
  }

  async confirmed(): Promise<ConfirmedState | undefined> {
    this.guard.finishConfirmation();
    return structuredClone(this.disk.confirmed);
  }

  async quarantined(): Promise<string[]> {
    return [...this.disk.quarantined];
  }

  async setQuarantined(contents: string[]): Promise<void> {
    this.disk.quarantined = [...contents];
  }

  async list(globs: string[], limits: { maxFiles: number; maxBytes: number }): Promise<FileState[]> {
    return this.disk.files.list(globs, limits);
  }

  async *read(path: string): AsyncGenerator<Uint8Array> {
    const file = this.disk.files.get(path);
    if (!file) throw new TaskError('not_a_file', `${path} does not exist`);
    yield Buffer.from(file.text);
  }

  async realPath(path: string): Promise<string> {
    for (const [link, target] of this.links) {
      if (path.startsWith(`${link}/`)) return `${target}${path.slice(link.length)}`;
    }
    return path;
  }

  async hasProgram(name: string): Promise<boolean> {
    return !this.commands.missing.has(name);
  }

  async run({ argv }: UnitCommand, place: CommandPlace, options: RunOptions): Promise<CommandRecord> {
    options.signal.throwIfAborted();
    if (place === 'host') return this.commands.onHost(argv);
    // One that was never begun has nothing staged.
    const staged = this.disk.transactions.get(options.workspace?.id ?? '')?.staged ?? new Map();
    return this.commands.onCandidate(argv, staged, options.scratch?.name);
  }

  async openScratch(workspace: Pick<Workspace, 'id'>): Promise<Scratch> {
    return this.commands.openScratch(`scratch of ${workspace.id}`);
  }

  #workspace(id: string): MemoryWorkspace {
    return new MemoryWorkspace(id, this);
  }
}

/** Starts a machine as Linux does: the files of unconfirmed transactions go back first, then the services read what is there. */
export async function bootMemoryMachine(parts: MemoryMachineParts): Promise<MemoryMachine> {
  const machine = new MemoryMachine(parts);
  await machine.guard.restoreAtBoot();
  machine.services.start();
  return machine;
}
