/**
 * Simulated time: events in order of (time, when they were added). After each event everything that hangs on microtasks settles
 * before the next one, so that a run depends on nothing but its seed.
 */
export class Scheduler {
  #now = 0;
  #count = 0;
  readonly #queue: Event[] = [];

  /** Milliseconds since the simulation began: the true time. */
  get now(): number {
    return this.#now;
  }

  /** How many events were ever added: orders things that happen at the same time. */
  get step(): number {
    return this.#count;
  }

  after(ms: number, work: () => void): void {
    this.#count += 1;
    push(this.#queue, { time: this.#now + Math.max(0, ms), order: this.#count, work });
  }

  /** Runs events until `until` (true time) has come, or `finished` says so after an event. */
  async run(until: number, finished: () => boolean = () => false): Promise<void> {
    await settle();
    while (!finished()) {
      const [event] = this.#queue;
      if (!event || event.time > until) break;
      pop(this.#queue);
      this.#now = event.time;
      event.work();
      await settle();
    }
    if (!finished()) this.#now = Math.max(this.#now, until);
  }
}

interface Event {
  time: number;
  order: number;
  work: () => void;
}

/** Microtasks run dry before the next turn of the event loop. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const isBefore = (left: Event, right: Event): boolean =>
  left.time < right.time || (left.time === right.time && left.order < right.order);

/** Binary heap: parent of `i` is `(i - 1) >> 1`. */
function push(heap: Event[], event: Event): void {
  let index = heap.push(event) - 1;
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex] as Event;
    if (!isBefore(event, parent)) break;
    heap[index] = parent;
    index = parentIndex;
  }
  heap[index] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let childIndex = 2 * index + 1;
    let child = heap[childIndex];
    if (!child) break;
    const right = heap[childIndex + 1];
    if (right && isBefore(right, child)) [childIndex, child] = [childIndex + 1, right];
    if (!isBefore(child, last)) break;
    heap[index] = child;
    index = childIndex;
  }
  heap[index] = last;
}
