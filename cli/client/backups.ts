import type { z } from 'zod';
import type { ArchiveQuery, BackupConfig, BackupRequest } from '../../shared/api/backups.ts';
import type { Http } from './http.ts';
import { nothing } from './nothing.ts';
import { homeOf } from './paging.ts';

const schemas = () => import('../../shared/api/backups.ts');
const config = async () => {
  const [{ z }, { BackupConfig }] = await Promise.all([import('zod'), schemas()]);
  // Not strict: what a newer controller says besides is not wrong.
  return z.object(BackupConfig.shape);
};
/** The controller reads whole archives before it answers; our HTTP client waits no longer for the head of an answer. */
const timeoutMs = 300_000;

export const backupRoutes = (http: Http, organization: string) => {
  const home = homeOf(organization);
  const pathOf = (archive: string) => `${home}/backups/${encodeURIComponent(archive)}`;
  return {
    run: (body: BackupRequest, idempotencyKey: string) =>
      http.request('POST', `${home}/backups`, {
        body,
        idempotencyKey,
        answer: async () => (await import('../../shared/api/tasks.ts')).RunAnswer,
      }),

    list: (query: z.output<typeof ArchiveQuery>) =>
      http.request('GET', `${home}/backups`, { query, answer: async () => (await schemas()).ArchiveList }),

    describe: (archive: string) =>
      http.request('GET', pathOf(archive), { answer: async () => (await schemas()).Archive }),

    /** Bytes of the archive from `offset` on: 206, or 200 with all of them. */
    content: (archive: string, offset: number, signal: AbortSignal) =>
      http.stream(
        `${pathOf(archive)}/content`,
        {},
        {
          headers: {
            accept: 'application/octet-stream',
            ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
          },
          signal,
        },
      ),

    verify: (archive: string) =>
      http.request('POST', `${pathOf(archive)}/verify`, {
        body: {},
        timeoutMs,
        answer: async () => (await schemas()).VerifyAnswer,
      }),

    restorable: (archive: string, body: { task: string; files: number }) =>
      http.request('POST', `${pathOf(archive)}/restorable`, {
        body,
        answer: nothing,
      }),

    retention: (body: { device?: string; apply?: string }) =>
      http.request('POST', `${home}/backups/retention`, {
        body,
        timeoutMs,
        answer: async () => (await schemas()).RetentionPlan,
      }),

    config: () => http.request('GET', `${home}/backup-config`, { answer: config }),

    setConfig: (body: BackupConfig) => http.request('PUT', `${home}/backup-config`, { body, answer: config }),
  };
};
