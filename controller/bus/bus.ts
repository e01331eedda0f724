/** What controllers tell each other (and themselves). Every message is only a hint: losing one costs latency, never a task. */
export interface BusMessages {
  /** These devices may have something to be handed out. */
  devices: { deviceIds: string[] };
  /** A deadline may be nearer than the dispatcher knows: look now. */
  deadlines: Record<string, never>;
  /** Schedules changed: what is due may be nearer than it was. */
  schedules: Record<string, never>;
  /** These questions are not pending any more. */
  questions: { moves: { id: string; deviceId: string | null }[] };
  /** There is a prompt to work on, or one that is no longer to be worked on. */
  assistant: Record<string, never>;
  /** There are new events in the store. */
  events: Record<string, never>;
  /** Ask these devices to stop these tasks. */
  cancel: { tasks: { deviceId: string; code: string }[] };
  /** Close the links of these devices: they were disabled or removed. */
  close: { deviceIds: string[]; code: number; reason: string };
}

export type BusTopic = keyof BusMessages;

export interface Bus {
  publish<Topic extends BusTopic>(topic: Topic, message: BusMessages[Topic]): void;
  /** Returns the call that ends the subscription. A handler must not throw. */
  subscribe<Topic extends BusTopic>(topic: Topic, handler: (message: BusMessages[Topic]) => void): () => void;
}
