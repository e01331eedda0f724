import type { z } from 'zod';
import type { AuditQuery, CreateAccessToken, CreateEnrolmentToken } from '../../shared/api/access.ts';
import type { Http } from './http.ts';
import { nothing } from './nothing.ts';

const schemas = () => import('../../shared/api/access.ts');

interface Paging {
  page: number;
  per_page: number;
}

export const accessRoutes = (http: Http, organization: string) => {
  const home = `/api/v1/organizations/${encodeURIComponent(organization)}`;
  return {
    me: () => http.request('GET', '/api/v1/auth/me', { answer: async () => (await schemas()).Me }),

    changePassword: (body: { current: string; new: string }) =>
      http.request('POST', '/api/auth/password', {
        body,
        answer: async () => (await import('../../shared/api/accounts.ts')).PasswordChanged,
      }),

    tokens: (query: Paging) =>
      http.request('GET', '/api/v1/auth/tokens', {
        query,
        answer: async () => (await schemas()).AccessTokenList,
      }),
    createToken: (body: z.output<typeof CreateAccessToken>) =>
      http.request('POST', '/api/v1/auth/tokens', {
        body,
        answer: async () => (await schemas()).CreatedAccessToken,
      }),
    revokeToken: (name: string) =>
      http.request('DELETE', `/api/v1/auth/tokens/${encodeURIComponent(name)}`, { answer: nothing }),

    enrolmentTokens: (query: Paging) =>
      http.request('GET', `${home}/enrolment-tokens`, {
        query,
        answer: async () => (await schemas()).EnrolmentTokenList,
      }),
    createEnrolmentToken: (body: z.output<typeof CreateEnrolmentToken>) =>
      http.request('POST', `${home}/enrolment-tokens`, {
        body,
        answer: async () => (await schemas()).CreatedEnrolmentToken,
      }),
    revokeEnrolmentToken: (name: string) =>
      http.request('DELETE', `${home}/enrolment-tokens/${encodeURIComponent(name)}`, { answer: nothing }),

    audit: (query: z.output<typeof AuditQuery>) =>
      http.request('GET', `${home}/audit`, { query, answer: async () => (await schemas()).AuditList }),
  };
};
