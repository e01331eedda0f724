import type { Clock } from '../../shared/clock.ts';
import type { DeviceProfile } from '../../shared/device-profile.ts';
import type { ProbeAttempt } from '../../shared/task-types/sync.ts';
import type { TransactionMachine } from './machine.ts';

/** What a transaction works with. */
export interface TransactionParts {
  device: { id: string };
  /** The device's own copy. */
  profile: DeviceProfile;
  machine: TransactionMachine;
  transfers: TransactionTransfers;
  probe: TransactionProbe;
  keys: TransactionKeys;
  /** Absolute paths that are never written: the agent's own. */
  ownPaths: string[];
}

export interface TransactionTransfers {
  /** Bytes of a blob, in order; fails in the end when they are not what the digest says. */
  download(
    request: { code: string; sha256: string; maxBytes: number },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /** JSON `{NAME: value}` of the manifest's secrets, encrypted to this device. */
  secrets(code: string, signal: AbortSignal): Promise<Uint8Array>;
}

export interface TransactionProbe {
  readonly address: { host: string; port: number };
  /** One attempt over a new connection; never throws but for `signal`. */
  attempt(transaction: string, timeoutMs: number, signal: AbortSignal): Promise<ProbeAttempt>;
}

export interface TransactionKeys {
  stateDigest(text: string): string;
  secretToken(value: string): string;
  decrypt(ciphertext: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

/** Where a transaction tells how far it is, and hears that it has to stop. */
export interface TransactionContext {
  /** Of the task. */
  code: string;
  clock: Clock;
  signal: AbortSignal;
  output(stream: 'agent', text: string): void;
  progress(progress: { percent?: number; message?: string }): void;
  /** Asks a person; settles with one of the options. */
  ask(question: { prompt: string; options: string[]; safe: string | null }): Promise<string>;
}
