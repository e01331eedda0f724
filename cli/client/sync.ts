import type { z } from 'zod';
import type { RestoreRequest, SyncRequest, SyncStatusQuery } from '../../shared/api/sync.ts';
import type { Targets } from '../../shared/api/tasks.ts';
import type { Http } from './http.ts';
import { homeOf } from './paging.ts';

const schemas = () => import('../../shared/api/sync.ts');
/** Many devices are rendered, and large files sent, before there is an answer. */
const timeoutMs = 300_000;

export const syncRoutes = (http: Http, organization: string) => {
  const home = homeOf(organization);
  return {
    plan: (body: { targets: z.output<typeof Targets>; diff: boolean }) =>
      http.request('POST', `${home}/sync/plan`, {
        body,
        timeoutMs,
        answer: async () => (await schemas()).Plan,
      }),

    apply: (body: SyncRequest, idempotencyKey: string) =>
      http.request('POST', `${home}/sync`, {
        body,
        timeoutMs,
        idempotencyKey,
        answer: async () => (await schemas()).SyncAnswer,
      }),

    status: (query: z.output<typeof SyncStatusQuery>) =>
      http.request('GET', `${home}/sync/status`, {
        query,
        answer: async () => (await schemas()).SyncStatusList,
      }),

    release: (device: string, body: { content?: string }) =>
      http.request('POST', `${home}/devices/${encodeURIComponent(device)}/sync/release`, {
        body,
        answer: async () => (await schemas()).ReleaseAnswer,
      }),

    restore: (body: RestoreRequest, idempotencyKey: string) =>
      http.request('POST', `${home}/restores`, {
        body,
        timeoutMs,
        idempotencyKey,
        answer: async () => (await import('../../shared/api/tasks.ts')).RunAnswer,
      }),
  };
};
