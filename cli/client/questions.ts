import type { QuestionQuery } from '../../shared/api/questions.ts';
import type { Http } from './http.ts';

const schemas = () => import('../../shared/api/questions.ts');

export const questionRoutes = (http: Http, organization: string) => {
  const root = `/api/v1/organizations/${encodeURIComponent(organization)}/questions`;
  const pathOf = (question: string) => `${root}/${encodeURIComponent(question)}`;
  return {
    list: (query: Partial<QuestionQuery>) =>
      http.request('GET', root, { query, answer: async () => (await schemas()).QuestionList }),
    describe: (question: string) =>
      http.request('GET', pathOf(question), { answer: async () => (await schemas()).Question }),
    answer: (question: string, answer: string) =>
      http.request('POST', `${pathOf(question)}/answer`, {
        body: { answer },
        answer: async () => (await schemas()).Question,
      }),
  };
};
