import type { RunRequest, TaskQuery } from '../../shared/api/tasks.ts';
import type { Http } from './http.ts';

const schemas = () => import('../../shared/api/tasks.ts');
const taskList = async () => (await schemas()).TaskList;
const task = async () => (await schemas()).Task;
const logPage = async () => (await schemas()).TaskLogPage;
const runAnswer = async () => (await schemas()).RunAnswer;

const pathOf = (code: string) => `/api/v1/tasks/${encodeURIComponent(code)}`;

export const taskRoutes = (http: Http, organization: string) => ({
  list: (query: Partial<TaskQuery> & { expired?: boolean }, signal?: AbortSignal) =>
    http.request('GET', '/api/v1/tasks', {
      query: { organization, ...query },
      answer: taskList,
      ...(signal ? { signal } : {}),
    }),

  describe: (code: string) => http.request('GET', pathOf(code), { answer: task }),

  /** With `request` a running task is asked to stop. */
  cancel: (code: string, request: boolean) =>
    http.request('PUT', `${pathOf(code)}/cancel`, { body: { request }, answer: task }),

  logs: (code: string, after: number) =>
    http.request('GET', `${pathOf(code)}/logs`, { query: { after, limit: 1000 }, answer: logPage }),

  create: (body: Omit<RunRequest, 'force' | 'dry_run'> & Partial<RunRequest>, idempotencyKey: string) =>
    http.request('POST', `/api/v1/organizations/${encodeURIComponent(organization)}/tasks`, {
      body,
      idempotencyKey,
      answer: runAnswer,
    }),
});
