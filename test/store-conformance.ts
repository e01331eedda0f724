import { describe } from 'vitest';
import { describeAccess } from './store-conformance/access.ts';
import { describeAccounts } from './store-conformance/accounts.ts';
import { describeAssistant } from './store-conformance/assistant.ts';
import { describeConfiguration } from './store-conformance/configuration.ts';
import { describeContent } from './store-conformance/content.ts';
import { describeDeviceKeys } from './store-conformance/device-keys.ts';
import { describeDevices } from './store-conformance/devices.ts';
import { describeHistory } from './store-conformance/history.ts';
import { describeQuestions } from './store-conformance/questions.ts';
import { describeReleases } from './store-conformance/releases.ts';
import { describeRetries, describeRunSearch } from './store-conformance/retries.ts';
import { describeRuns } from './store-conformance/runs.ts';
import { describeSessions } from './store-conformance/sessions.ts';
import { describeSchedules } from './store-conformance/schedules.ts';
import { describeSettings } from './store-conformance/settings.ts';
import { describeTaskLists } from './store-conformance/task-lists.ts';
import { describeTaskMoves } from './store-conformance/task-moves.ts';
import { describeTaskReports } from './store-conformance/task-reports.ts';
import { describeWaitingTasks } from './store-conformance/task-waiting.ts';
import { describeTaskWork } from './store-conformance/task-work.ts';
import { describeTransactions } from './store-conformance/transactions.ts';
import { describeWebhooks } from './store-conformance/webhooks.ts';
import { conform, type OpenStore } from './store-conformance/world.ts';

/** Every promise of the store, written only against its interface: a dialect conforms when this passes. */
export function describeStore(name: string, open: OpenStore): void {
  describe(name, () => {
    const promise = conform(open);
    describeSettings(promise);
    describeAccess(promise);
    describeAccounts(promise);
    describeDevices(promise);
    describeDeviceKeys(promise);
    describeWaitingTasks(promise);
    describeTaskReports(promise);
    describeTaskWork(promise);
    describeTaskLists(promise);
    describeTaskMoves(promise);
    describeRuns(promise);
    describeRetries(promise);
    describeRunSearch(promise);
    describeSchedules(promise);
    describeQuestions(promise);
    describeHistory(promise);
    describeContent(promise);
    describeConfiguration(promise);
    describeSessions(promise);
    describeReleases(promise);
    describeWebhooks(promise);
    describeAssistant(promise);
    describeTransactions(promise);
  });
}
