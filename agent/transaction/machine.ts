import type { JournalState } from '../../shared/transaction.ts';
import type { UnitCommand } from '../../shared/device-profile.ts';

/** One fsynced line of a transaction's journal. */
export interface JournalRecord {
  state: JournalState;
  /** Epoch milliseconds. */
  at: number;
  bootId: string;
  /** CLOCK_BOOTTIME, milliseconds. */
  uptimeMs: number;
  /** Unit, reason or file; one line. */
  detail: string;
}

export interface Owner {
  /** Octal, as `0644`. */
  mode: string;
  /** Names or numbers. */
  owner: string;
  group: string;
}

/** What a file of the machine is now. */
export interface FileState extends Owner {
  path: string;
  size: number;
  /** SHA-256 of the content, hex. */
  sha256: string;
}

/** A file that the transaction wants; its content is staged already. `null` content: the file must not exist. */
export interface WantedFile extends Owner {
  path: string;
  sha256: string;
}

/** What the last confirmed transaction left. */
export interface ConfirmedState {
  transaction: string;
  generation: number;
  /** Digest of what was applied (`contentDigest` of the manifest). */
  content: string;
  /** Paths that were written; the next transaction deletes those that it does not name. */
  files: string[];
  /** Keyed digest of each unit's files right after the transaction. */
  units: Record<string, string>;
}

/** What is needed to go back, apart from the files: commands that make the services read them again, in this order. */
export interface GoBack {
  /** Seconds of CLOCK_BOOTTIME from now until the guard acts. */
  deadlineSeconds: number;
  /** Exit code 0 is always fine. */
  commands: { argv: string[]; timeoutSeconds: number; okExitCodes?: number[] }[];
}

export interface CommandRecord {
  argv: string[];
  exitCode: number | null;
  timedOut: boolean;
  /** stdout and stderr together, at most 64 KiB; not redacted yet. */
  output: string;
  stdout: string;
  durationMs: number;
}

/** Where a command of a unit runs. `candidate`: a private view in which the staged files lie at their real paths. `scratch`: that view, in the scratch network namespace. */
export type CommandPlace = 'host' | 'candidate' | 'scratch';

/** One transaction's folder on the device's disk. Every method is durable when it settles. */
export interface Workspace {
  readonly id: string;
  /** Appends to the journal. Only the verdicts (CONFIRMED, ROLLING_BACK and after) are written by `confirm` and `rollBack` instead. */
  append(state: JournalState, detail: string): Promise<void>;
  journal(): Promise<JournalRecord[]>;
  /** A note of the engine for its recovery, replaced as a whole. */
  writeNote(note: Record<string, unknown>): Promise<void>;
  note(): Promise<Record<string, unknown> | undefined>;
  /** Puts a wanted file into the private candidate tree (0600, not at its real path). */
  stage(
    file: Omit<WantedFile, 'sha256'>,
    content: AsyncIterable<Uint8Array>,
  ): Promise<{ sha256: string; size: number }>;
  /** A file that the candidate view does not show. */
  stageAbsent(path: string): Promise<void>;
  /** Copies what is at these paths now (content, mode, owner, xattrs, or that nothing is there), fsyncs, reads back and compares. Idempotent. */
  snapshot(paths: string[]): Promise<void>;
  /** Keeps the output of a command in the snapshot, as `{snapshot}/NAME` for `GoBack` commands. */
  keep(name: string, text: string): Promise<string>;
  /** Starts the guard: an independent program that undoes the transaction at the deadline unless it is confirmed. Appends ARMED. */
  arm(back: GoBack): Promise<{ guard: string; deadlineUptimeMs: number }>;
  /** Staged file to its real path: temporary file beside it, mode and owner, fsync, rename, fsync of the folder. */
  install(path: string): Promise<void>;
  /** Deletes a file, durably. Nothing there is fine. */
  remove(path: string): Promise<void>;
  /** CONFIRMED, unless a rollback has begun or the deadline has passed; then disarms the guard. Decided under the guard's lock. */
  confirm(state: ConfirmedState): Promise<'confirmed' | 'rolled_back'>;
  /** Puts everything back, runs the commands of `arm`, and disarms the guard; runs under the guard's lock and may be called again after a crash. Says what the journal says in the end. */
  rollBack(reason: string): Promise<'rolled_back' | 'rollback_failed' | 'confirmed'>;
}

/** What a configuration transaction needs of the machine it changes. `linux/` does it for real, `memory/` for simulation and tests. */
export interface TransactionMachine {
  bootId(): Promise<string>;
  /** CLOCK_BOOTTIME, milliseconds. */
  uptimeMs(): number;
  /** Makes the folder with RECEIVED. Throws `TaskError('busy')` naming the other one while a transaction is not over. */
  begin(id: string): Promise<Workspace>;
  /** The workspace of this id, if it exists. */
  find(id: string): Promise<Workspace | undefined>;
  /** The transaction that is not over (its last record is none of CONFIRMED, ROLLED_BACK, ROLLBACK_FAILED, REJECTED). */
  pending(): Promise<Workspace | undefined>;
  confirmed(): Promise<ConfirmedState | undefined>;
  /** Content digests that were rolled back and that nobody released. */
  quarantined(): Promise<string[]>;
  setQuarantined(contents: string[]): Promise<void>;
  /** Existing files that match these globs, sorted by path. Symbolic links are not followed: they, devices and folders are errors `not_a_file`. */
  list(globs: string[], limits: { maxFiles: number; maxBytes: number }): Promise<FileState[]>;
  read(path: string): AsyncIterable<Uint8Array>;
  /** Where a path really lies: links in its folders resolved, as far as they exist. */
  realPath(path: string): Promise<string>;
  /** Whether a program (a name, or an absolute path) is on the device, as `if_program` asks. */
  hasProgram(name: string): Promise<boolean>;
  run(command: UnitCommand, place: CommandPlace, options: RunOptions): Promise<CommandRecord>;
  /** A network namespace with the host's interface names and addresses, joined to a peer that answers as the controller does. */
  openScratch(workspace: Pick<Workspace, 'id'>, options: ScratchOptions): Promise<Scratch>;
}

export interface RunOptions {
  signal: AbortSignal;
  /** For `candidate` and `scratch`. One that was never begun has nothing staged: its view is the machine as it is. */
  workspace?: Pick<Workspace, 'id'>;
  scratch?: Scratch;
}

export interface ScratchOptions {
  /** Where the controller is, as the agent dials it now. */
  controller: { host: string; port: number };
  signal: AbortSignal;
}

export interface Scratch extends AsyncDisposable {
  readonly name: string;
  /** A NEW connection from the scratch namespace to the controller's address and port; settles with how long it took or why not. */
  connect(timeoutMs: number, signal: AbortSignal): Promise<{ ok: boolean; ms: number; error?: string }>;
}
