import type { Logger } from '../../shared/node/logger.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Bus } from '../bus/bus.ts';
import type { OnlineDevices } from '../devices/online.ts';
import type { Questions } from '../questions/questions.ts';
import type { KindParts } from '../schedules/kinds.ts';
import type { Store } from '../store/store.ts';
import type { Submission, Submitted } from '../tasks/submit.ts';
import { Assistant } from './assistant.ts';
import type { ChatModel } from './chat-model.ts';
import { Proposals } from './proposals.ts';
import type { ReadParts } from './tools/read-tool.ts';

/** What the core is given for agent tasks. */
export interface AssistantSources extends Pick<ReadParts, 'snapshots' | 'syncStatus'> {
  model: ChatModel;
  /** Runs that ask the model at the same time. */
  atOnce: number;
}

export interface AssistantPlace {
  store: Store;
  bus: Bus;
  clock: Clock;
  log: Logger;
  settings: { pollMs: number };
  online: OnlineDevices;
  questions: Questions;
  kinds: KindParts;
  submit(submission: Submission): Promise<Submitted>;
}

export function createAssistant(
  { model, atOnce, snapshots, syncStatus }: AssistantSources,
  place: AssistantPlace,
): Assistant {
  const { store, online } = place;
  return new Assistant({
    ...place,
    model,
    atOnce,
    proposals: new Proposals(place),
    reads: { store, snapshots, syncStatus, heardAt: (deviceId) => online.heardAt(deviceId) },
  });
}
