import type { AgentTaskRequest } from '../../shared/api/assistant.ts';
import type { RetryRun, RunQuery } from '../../shared/api/runs.ts';
import type { Http } from './http.ts';
import { homeOf } from './paging.ts';

const schemas = () => import('../../shared/api/runs.ts');
const runList = async () => (await schemas()).RunList;
const run = async () => (await schemas()).Run;
const runAnswer = async () => (await import('../../shared/api/tasks.ts')).RunAnswer;
const cancelAnswer = async () => (await schemas()).CancelRunAnswer;

const transcriptPage = async () => (await import('../../shared/api/assistant.ts')).TranscriptPage;

const pathOf = (id: string) => `/api/v1/runs/${encodeURIComponent(id)}`;

export const runRoutes = (http: Http, organization: string) => ({
  list: (query: Partial<RunQuery>) =>
    http.request('GET', '/api/v1/runs', { query: { organization, ...query }, answer: runList }),

  describe: (id: string) => http.request('GET', pathOf(id), { answer: run }),

  cancel: (id: string, request: boolean) =>
    http.request('POST', `${pathOf(id)}/cancel`, { body: { request }, answer: cancelAnswer }),

  /** Under one key it is made once, however often it is sent. */
  agentTask: (body: Partial<AgentTaskRequest>, idempotencyKey: string) =>
    http.request('POST', `${homeOf(organization)}/agent-tasks`, { body, idempotencyKey, answer: runAnswer }),

  transcript: (id: string, after: number) =>
    http.request('GET', `${pathOf(id)}/transcript`, { query: { after }, answer: transcriptPage }),

  /** A new run over the devices that did not do it. */
  retry: (id: string, body: Partial<RetryRun>) =>
    http.request('POST', `${pathOf(id)}/retry`, { body, answer: runAnswer }),
});
