import type { Clock, Instant, Random } from '../../../shared/clock.ts';
import type { Power } from '../system.ts';
import type { BootIdStorage } from './boot-id-storage.ts';

export type PowerVerb = 'reboot' | 'powerOff' | 'restartAgent';

/** Called when a verb takes effect, not when it is accepted: whoever holds the agent ends it here, and starts it again. */
export interface PowerHooks {
  onReboot?(): void;
  onPowerOff?(): void;
  onRestartAgent?(): void;
}

/** Power in memory: a reboot, a power-off or a power cut draws the boot id of the next boot and stores it at once. */
export class DummyPower implements Power {
  /** Every verb that was asked for, also those that failed or were ignored. */
  readonly calls: { verb: PowerVerb; at: Instant }[] = [];
  /** Verbs that are accepted and then have no effect. */
  readonly ignored = new Set<PowerVerb>();
  /** Verbs that are refused with the given error. */
  readonly failing = new Map<PowerVerb, Error>();
  /** Milliseconds between the acceptance of a verb and its effect. */
  effectAfterMs = 0;
  hooks: PowerHooks;

  readonly #clock: Clock;
  readonly #random: Random;
  readonly #storage: BootIdStorage | undefined;
  #bootId: string;

  constructor(parts: { clock: Clock; random: Random; hooks?: PowerHooks; storage?: BootIdStorage }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#storage = parts.storage;
    this.hooks = parts.hooks ?? {};

    const stored = this.#storage?.load();
    this.#bootId = stored ?? this.#random.uuid();
    if (stored === undefined) this.#storage?.save(this.#bootId);
  }

  get currentBootId(): string {
    return this.#bootId;
  }

  async bootId(): Promise<string> {
    return this.#bootId;
  }

  async reboot(): Promise<void> {
    this.#accept('reboot', () => {
      this.powerCut();
      this.hooks.onReboot?.();
    });
  }

  async powerOff(): Promise<void> {
    this.#accept('powerOff', () => {
      this.powerCut();
      this.hooks.onPowerOff?.();
    });
  }

  async restartAgent(): Promise<void> {
    this.#accept('restartAgent', () => this.hooks.onRestartAgent?.());
  }

  /** The machine loses power without being asked: the next boot has another id. Calls no hook. */
  powerCut(): void {
    this.#bootId = this.#random.uuid();
    this.#storage?.save(this.#bootId);
  }

  #accept(verb: PowerVerb, effect: () => void): void {
    this.calls.push({ verb, at: this.#clock.now() });
    const failure = this.failing.get(verb);
    if (failure) throw failure;
    if (this.ignored.has(verb)) return;
    // Even at 0 ms the caller learns of the acceptance first. The promise cannot reject: no signal, and hooks must not throw.
    void this.#clock.sleep(this.effectAfterMs).then(effect);
  }
}
