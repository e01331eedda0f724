import type { ChatModel } from '../../controller/assistant/chat-model.ts';

/** A model that is configured and never answers: for what needs one only to be there. */
export const silentModel: ChatModel = {
  ask: (_messages, _tools, signal) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    }),
};
