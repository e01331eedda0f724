import type { z } from 'zod';
import type { PutVariable, VariableKey, VariableQuery } from '../../shared/api/variables.ts';
import type { Http } from './http.ts';
import { nothing } from './nothing.ts';
import { homeOf } from './paging.ts';

const schemas = () => import('../../shared/api/variables.ts');

export const variableRoutes = (http: Http, organization: string) => {
  const all = `${homeOf(organization)}/variables`;
  return {
    list: (query: z.output<typeof VariableQuery>) =>
      http.request('GET', all, { query, answer: async () => (await schemas()).VariableList }),

    set: (body: z.output<typeof PutVariable>) =>
      http.request('PUT', all, { body, answer: async () => (await schemas()).Variable }),

    unset: (query: z.output<typeof VariableKey>) => http.request('DELETE', all, { query, answer: nothing }),
  };
};
