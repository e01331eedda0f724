import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { Command, ProcessEnd } from '../system.ts';

/** Things of the machine that a remote session joins to: connections, terminals, and programs with open pipes. */
export interface Streams {
  /** A new TCP connection with half-close; rejects with `TaskError('unreachable')`, or the signal's reason. */
  connect(target: { host: string; port: number }, signal: AbortSignal): Promise<Socket>;
  /** A login shell on a pseudo-terminal. */
  terminal(wish: TerminalWish): Promise<Terminal>;
  /** A program with its three pipes; not a shell. Throws `TaskError` when it cannot be started. */
  program(command: Omit<Command, 'stdin'>): Promise<OpenProgram>;
}

export interface TerminalWish {
  columns: number;
  rows: number;
  term: string;
  /** Of the machine; the agent's own when absent. */
  user?: string;
}

/** The process leads a session of its own; closing hangs it up, and ends what is left of it, jobs in the background too. */
export interface Terminal {
  /** Pauses and resumes what `output` emits. */
  readonly output: Readable;
  /** What is typed. It is full when the program does not read. */
  readonly input: Writable;
  resize(columns: number, rows: number): void;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<ProcessEnd>;
  close(): Promise<void>;
}

export interface OpenProgram {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** To the whole process group. */
  signal(name: NodeJS.Signals): void;
  /** After the process ended and its pipes are read. */
  readonly ended: Promise<ProcessEnd>;
  close(): Promise<void>;
}
