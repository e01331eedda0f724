import type { Clock } from '../../shared/clock.ts';
import type { KeyPair } from '../../shared/node/keys.ts';
import { signText } from '../../shared/node/keys.ts';
import type { TaskOffer } from '../../shared/protocol/task.ts';
import type { SettingStore } from '../store/settings.ts';
import type { OfferableTask } from '../store/tasks.ts';

/** Numbers are reserved in blocks, so that an offer needs no write. A restart wastes the rest of a block, never uses a number twice. */
const blockSize = 10_000;
const setting = 'offer_sequence';

/**
 * Makes signed orders with ever increasing numbers. They are above the time of day in milliseconds, so that a controller which was
 * restored from a backup does not repeat numbers that devices have seen already: these would refuse everything as replayed.
 *
 * `reserve` must be called for at least as many as are signed after it.
 */
export class OfferSigner {
  readonly #settings: SettingStore;
  readonly #keys: KeyPair;
  readonly #clock: Clock;
  /** Numbers that may still be given: from `#next` to `#last`. */
  #next = 1;
  #last = 0;

  constructor(settings: SettingStore, keys: KeyPair, clock: Clock) {
    this.#settings = settings;
    this.#keys = keys;
    this.#clock = clock;
  }

  async reserve(count: number): Promise<void> {
    if (this.#last - this.#next + 1 >= count) return;
    const size = Math.max(blockSize, count);
    this.#last = await this.#settings.reserve(setting, size, Math.max(0, this.#clock.now()));
    this.#next = this.#last - size + 1;
  }

  sign(task: OfferableTask): TaskOffer {
    if (this.#next > this.#last) throw new Error('no offer number is reserved');
    const sequence = this.#next;
    this.#next += 1;
    const { parameters, ...head } = {
      device: task.deviceId,
      code: task.code,
      attempt: 1,
      taskType: task.type,
      timeoutMs: task.timeoutMs,
      force: task.force,
      expiresAt: task.expiresAt,
      sequence,
      parameters: task.parameters,
    };
    // Parameters are JSON text already: they are put in as they are.
    const order = `${JSON.stringify(head).slice(0, -1)},"parameters":${parameters}}`;
    return { type: 'task.offer', code: task.code, order, signature: signText(order, this.#keys.privateKey) };
  }
}
