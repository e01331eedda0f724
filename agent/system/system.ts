import type { Readable } from 'node:stream';

/** The only door to the operating system. `agent/system/*.ts` opens it for real, `agent/system/dummy/` does the same in memory. */
export interface System {
  power: Power;
  services: Services;
  processes: Processes;
  probes: Probes;
  facts: Facts;
}

/** The verbs that take the machine or the agent away. */
export interface Power {
  /** The kernel's boot id: a new one after every boot. */
  bootId(): Promise<string>;
  /** Settles once the command was accepted; the machine goes down some time later. */
  reboot(): Promise<void>;
  powerOff(): Promise<void>;
  /** Replaces the agent process by a new one. */
  restartAgent(): Promise<void>;
}

export interface Services {
  show(unit: string): Promise<{ known: boolean; active: boolean; state: string; subState: string }>;
}

export interface Command {
  /** Program and arguments; no shell is involved. */
  argv: [string, ...string[]];
  env: Record<string, string>;
  cwd?: string;
  /** Run as this user of the machine. */
  user?: string;
  /** What it reads: a text, or what is written while it runs. */
  stdin?: string | Readable;
  /** A folder where programs are looked for last. */
  programs?: string;
  /** Its own folder is where it starts then, instead of `cwd`. */
  confinement?: Confinement;
}

/** Bounds of a command that is not trusted with more. Each one is of every process of it, if nothing else is said. */
export interface Confinement {
  /** Address space. */
  memoryMb: number;
  /** Of the user, and threads count. */
  processes: number;
  openFiles: number;
  /** Of the largest file, and of all in its own folder. */
  fileMb: number;
  /** Processor time. */
  cpuSeconds: number;
}

export interface ProcessEnd {
  exitCode: number | null;
  signal: string | null;
  /** It was told to end, by the abort, before it ended. */
  stopped: boolean;
}

export interface Processes {
  /**
   * Runs a command in a process group of its own and hands over its output as it comes; waits for `output` before reading on.
   * Aborting sends SIGTERM to the group, SIGKILL 5 s later, and then settles. Throws `TaskError` when it cannot be started.
   */
  run(
    command: Command,
    output: (stream: 'stdout' | 'stderr', text: string) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<ProcessEnd>;
  /** Puts text into a file of mode 0700 that `user` can read, for the time it is not disposed of. */
  scriptFile(text: string, user?: string): Promise<{ path: string } & AsyncDisposable>;
  /** Lets what runs as `user` ask people, for the time it is not disposed of. */
  askDoor(user: string | undefined, ask: AskPerson): Promise<AskDoor>;
}

/** Asks a person; aborting withdraws the question. Throws `TaskError`. */
export type AskPerson = (
  question: { prompt: string; options: string[]; safe?: string | undefined; deadlineMs?: number | undefined },
  withdrawn: AbortSignal,
) => Promise<string>;

/** What a command is given so that it can ask. */
export interface AskDoor extends Required<Pick<Command, 'env' | 'programs'>>, AsyncDisposable {}

/** Measurements for HEALTH_CHECK. Each throws `TaskError` with a sentence when the thing cannot be measured. */
export interface Probes {
  disk(path: string): Promise<{ usedPercent: number; availableBytes: number }>;
  memory(): Promise<{ usedPercent: number; totalBytes: number; availableBytes: number }>;
  load(): Promise<{ load1: number; load5: number; load15: number; cpus: number }>;
  tcp(target: { host: string; port: number }, signal: AbortSignal): Promise<{ connectMs: number }>;
  http(url: string, signal: AbortSignal): Promise<{ status: number; durationMs: number }>;
  certificate(
    target: { host: string; port: number; serverName?: string },
    signal: AbortSignal,
  ): Promise<{ expiresAt: number; subject: string; issuer: string; trusted: boolean }>;
  dns(
    query: { name: string; server?: string },
    signal: AbortSignal,
  ): Promise<{ addresses: string[]; durationMs: number }>;
  /** Offset of the local clock against the server's, by SNTP (RFC 4330): positive when the local clock is behind. */
  ntp(
    target: { host: string; port: number },
    signal: AbortSignal,
  ): Promise<{ offsetMs: number; roundTripMs: number; stratum: number }>;
}

export interface Facts {
  /** What this machine is: hostname, system, kernel, architecture, processors, memory, interfaces. Changes rarely. */
  collect(): Promise<Record<string, unknown>>;
}
