import type { AssistantSources } from '../../controller/assistant/create-assistant.ts';
import { AppError } from '../../shared/errors.ts';

const nothing = async () => {
  throw new AppError('not_found', 'nothing was ever pulled');
};

/** A model that is configured and never answers: for what needs one only to be there. */
export const silentModel: AssistantSources = {
  atOnce: 4,
  model: {
    ask: (_messages, _tools, signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
      ),
  },
  snapshots: { version: nothing, view: nothing, diff: nothing },
  syncStatus: async () => ({ items: [], total: 0 }),
};
