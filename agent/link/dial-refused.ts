import type { Instant } from '../../shared/clock.ts';
import type { FrameSocket } from '../../shared/frame-socket.ts';

/** Opens a socket to the controller. Throws `DialRefused` when the controller answers no, another error when it cannot be reached. */
export type Dial = (signal: AbortSignal) => Promise<FrameSocket>;

/** The controller refused a dial, or another request of this device. */
export class DialRefused extends Error {
  /** As in every REST error: `not_approved`, `clock_skew`, `quarantined`, … */
  readonly code: string;
  readonly retryAfterMs: number | undefined;
  readonly controllerTime: Instant | undefined;

  constructor(
    code: string,
    message: string,
    hints: { retryAfterMs?: number | undefined; controllerTime?: Instant | undefined } = {},
  ) {
    super(message);
    this.name = 'DialRefused';
    this.code = code;
    this.retryAfterMs = hints.retryAfterMs;
    this.controllerTime = hints.controllerTime;
  }
}
