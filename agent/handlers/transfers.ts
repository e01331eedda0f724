import type { Hash } from 'node:crypto';
import type { z } from 'zod';
import type { UploadName } from '../../shared/protocol/transfer.ts';
import type { ProbeAttempt } from '../../shared/task-types/sync.ts';

/** Bulk bytes between this device and its controller. Everything resumes after a lost connection, is capped, and is held against its digest. */
export interface Transfers {
  /** Bytes of a blob, in order, behind those that are held; throws `TaskError('rejected_fetch')` in the end when they are not what the digest says, so nothing of them may be used before the end. */
  download(
    request: {
      code: string;
      sha256: string;
      maxBytes: number;
      held?: { bytes: number; digest: Hash };
    },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /** The secrets of the task's manifest, encrypted to this device's recipient. */
  secrets(code: string, signal: AbortSignal): Promise<Uint8Array>;
  /** Brings a local file into the controller's store; goes on where an earlier try ended. */
  upload(
    request: {
      code: string;
      name: UploadName;
      file: string;
      size: number;
      sha256: string;
      progress?: (bytes: number) => void;
    },
    signal: AbortSignal,
  ): Promise<void>;
  /** Brings what is still being made; settles with what the controller holds in the end. Goes on after a lost connection, and begins anew over what another try left. */
  send(
    request: { code: string; name: UploadName; content: Outgoing; progress?: (bytes: number) => void },
    signal: AbortSignal,
  ): Promise<{ size: number; sha256: string }>;
  /** Posts a small JSON body to a path of `shared/protocol/transfer.ts`. */
  post<T extends z.ZodType>(
    path: string,
    body: unknown,
    answer: T,
    signal: AbortSignal,
  ): Promise<z.output<T>>;
}

/** Bytes that can be read again until they are let go, while more of them are made. */
export interface Outgoing {
  holds(offset: number): boolean;
  /** Waits until there is something behind `offset`; how many bytes. 0: that was all. */
  ready(offset: number, signal: AbortSignal): Promise<number>;
  read(offset: number, end: number): AsyncIterable<Uint8Array>;
  letGo(before: number): void;
  /** Of all of it, once it is ready to its end. */
  proof(): { size: number; sha256: string };
}

/** The code of the refusal that made a transfer fail, if the controller itself refused. */
export function refusalOf(error: unknown): string | undefined {
  const { cause } = error instanceof Error ? error : {};
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}

/** Asks the controller over new connections only: fresh name look-up, TCP, TLS, and an answer that is signed over what was asked. */
export interface ControllerProbe {
  /** Where the controller is, for the pre-flight. */
  readonly address: { host: string; port: number };
  /** One attempt; never throws but for `signal`. */
  attempt(transaction: string, timeoutMs: number, signal: AbortSignal): Promise<ProbeAttempt>;
}
