import type { z } from 'zod';
import type { CreateAccount } from '../../shared/api/accounts.ts';
import type { Role } from '../../shared/api/common.ts';
import type { Http } from './http.ts';
import { nothing } from './nothing.ts';

const schemas = () => import('../../shared/api/accounts.ts');
const account = async () => (await schemas()).Account;
const withPassword = async () => (await schemas()).AccountWithPassword;

export const accountRoutes = (http: Http, organization: string) => {
  const root = `/api/v1/organizations/${encodeURIComponent(organization)}/accounts`;
  const one = (email: string) => `${root}/${encodeURIComponent(email)}`;
  return {
    list: (query: { page: number; per_page: number }) =>
      http.request('GET', root, { query, answer: async () => (await schemas()).AccountList }),
    add: (body: z.input<typeof CreateAccount>) => http.request('POST', root, { body, answer: withPassword }),
    setRole: (email: string, role: Role) =>
      http.request('PUT', `${one(email)}/role`, { body: { role }, answer: account }),
    disable: (email: string) => http.request('POST', `${one(email)}/disable`, { answer: account }),
    enable: (email: string) => http.request('POST', `${one(email)}/enable`, { answer: account }),
    resetPassword: (email: string, password: string | undefined) =>
      http.request('PUT', `${one(email)}/password`, {
        body: password === undefined ? {} : { password },
        answer: withPassword,
      }),
    unlink: (email: string) => http.request('DELETE', `${one(email)}/identities`, { answer: nothing }),
    remove: (email: string) => http.request('DELETE', one(email), { answer: nothing }),
  };
};
