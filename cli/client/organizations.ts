import type { z } from 'zod';
import type { ChangeOrganization, CreateOrganization } from '../../shared/api/access.ts';
import type { Http } from './http.ts';
import { nothing } from './nothing.ts';

const schemas = () => import('../../shared/api/access.ts');
const organization = async () => (await schemas()).Organization;
const root = '/api/v1/organizations';

/** By name: these are about organizations, and not in one. */
export const organizationRoutes = (http: Http) => {
  const one = (name: string) => `${root}/${encodeURIComponent(name)}`;
  return {
    list: (query: { page: number; per_page: number }) =>
      http.request('GET', root, { query, answer: async () => (await schemas()).OrganizationList }),
    describe: (name: string) => http.request('GET', one(name), { answer: organization }),
    create: (body: z.input<typeof CreateOrganization>) =>
      http.request('POST', root, { body, answer: organization }),
    change: (name: string, body: z.input<typeof ChangeOrganization>) =>
      http.request('PATCH', one(name), { body, answer: organization }),
    remove: (name: string) => http.request('DELETE', one(name), { answer: nothing }),
  };
};
