import type { PullRequest } from '../../shared/api/configs.ts';
import type { Http } from './http.ts';
import { homeOf } from './paging.ts';
import type { Paging } from './paging.ts';

const schemas = () => import('../../shared/api/configs.ts');

export const configRoutes = (http: Http, organization: string) => {
  const home = homeOf(organization);
  const snapshots = (device: string) => `${home}/devices/${encodeURIComponent(device)}/snapshots`;
  return {
    pull: (body: PullRequest, idempotencyKey: string) =>
      http.request('POST', `${home}/pull`, {
        body,
        idempotencyKey,
        answer: async () => (await import('../../shared/api/tasks.ts')).RunAnswer,
      }),

    list: (device: string, query: Paging) =>
      http.request('GET', snapshots(device), { query, answer: async () => (await schemas()).SnapshotList }),

    /** `version`: a number or `latest`. */
    show: (device: string, version: string) =>
      http.request('GET', `${snapshots(device)}/${encodeURIComponent(version)}`, {
        answer: async () => (await schemas()).SnapshotView,
      }),

    diff: (device: string, query: { from?: string; to: string }) =>
      http.request('GET', `${snapshots(device)}/diff`, {
        query,
        answer: async () => (await schemas()).SnapshotDiff,
      }),
  };
};
