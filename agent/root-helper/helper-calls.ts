import { TaskError } from '../../shared/errors.ts';
import type { HelperAnswer, HelperRequest } from './messages.ts';

type Call = Extract<HelperAnswer, { type: 'call' }>;
type Withdraw = Extract<HelperAnswer, { type: 'withdraw' }>;

/** What the root helper asks of the agent in the middle of a task, until it is answered or the task is told to stop. */
export class HelperCalls {
  readonly #send: (message: Call | Withdraw) => void;
  readonly #signal: AbortSignal;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #last = 0;

  constructor(send: (message: Call | Withdraw) => void, signal: AbortSignal) {
    this.#send = send;
    this.#signal = signal;
    signal.addEventListener('abort', () => this.#rejectAll(signal.reason), { once: true });
  }

  /** Aborting `withdrawn` tells the agent that the answer is wanted no more; the agent still answers. */
  call(name: Call['name'], argument: Call['argument'], withdrawn?: AbortSignal): Promise<unknown> {
    this.#signal.throwIfAborted();
    this.#last += 1;
    const id = this.#last;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#send({ type: 'call', id, name, argument });
    withdrawn?.addEventListener('abort', () => this.#send({ type: 'withdraw', id }), { once: true });
    return answer.promise;
  }

  answered(message: Extract<HelperRequest, { type: 'returned' | 'threw' }>): void {
    const answer = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.type === 'returned') answer?.resolve(message.value);
    else answer?.reject(new TaskError(message.code, message.message));
  }

  #rejectAll(reason: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
  }
}
