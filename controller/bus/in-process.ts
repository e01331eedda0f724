import type { Bus, BusMessages, BusTopic } from './bus.ts';

type Handlers = { [Topic in BusTopic]: Set<(message: BusMessages[Topic]) => void> };

/** The bus of a controller that runs alone: handlers are called at once, in the order they subscribed. */
export function createInProcessBus(): Bus {
  const handlers: Handlers = {
    devices: new Set(),
    deadlines: new Set(),
    schedules: new Set(),
    assistant: new Set(),
    questions: new Set(),
    events: new Set(),
    cancel: new Set(),
    close: new Set(),
  };
  return {
    publish: (topic, message) => {
      for (const handler of handlers[topic]) handler(message);
    },
    subscribe: (topic, handler) => {
      handlers[topic].add(handler);
      return () => handlers[topic].delete(handler);
    },
  };
}
