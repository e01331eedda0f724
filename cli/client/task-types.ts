import type { Http } from './http.ts';

export const taskTypeRoutes = (http: Http, organization: string) => ({
  /** Built in, and of the organization's plugins. */
  list: () =>
    http.request('GET', '/api/v1/task-types', {
      query: { organization },
      answer: async () => (await import('../../shared/api/task-types.ts')).TaskTypeList,
    }),
});
