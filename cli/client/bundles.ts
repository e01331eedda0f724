import type { PutBundle } from '../../shared/api/bundles.ts';
import type { Http } from './http.ts';
import { nothing } from './nothing.ts';
import { homeOf } from './paging.ts';
import type { Paging } from './paging.ts';

const schemas = () => import('../../shared/api/bundles.ts');
const bundle = async () => (await schemas()).Bundle;

export const bundleRoutes = (http: Http, organization: string) => {
  const all = `${homeOf(organization)}/bundles`;
  const pathOf = (name: string) => `${all}/${encodeURIComponent(name)}`;
  return {
    list: (query: Paging) =>
      http.request('GET', all, { query, answer: async () => (await schemas()).BundleList }),

    show: (name: string) => http.request('GET', pathOf(name), { answer: bundle }),

    /** The whole bundle. Sent twice it is harmless. */
    put: (name: string, body: PutBundle) => http.request('PUT', pathOf(name), { body, answer: bundle }),

    remove: (name: string) => http.request('DELETE', pathOf(name), { answer: nothing }),
  };
};
