import type { DeviceQuery } from '../../shared/api/devices.ts';
import type { Http } from './http.ts';
import { nothing } from './nothing.ts';

const schemas = () => import('../../shared/api/devices.ts');
const deviceList = async () => (await schemas()).DeviceList;
const device = async () => (await schemas()).Device;

export const deviceRoutes = (http: Http, organization: string) => {
  const all = `/api/v1/organizations/${encodeURIComponent(organization)}/devices`;
  const pathOf = (name: string) => `${all}/${encodeURIComponent(name)}`;
  return {
    list: (query: Partial<DeviceQuery>) => http.request('GET', all, { query, answer: deviceList }),

    describe: (name: string) => http.request('GET', pathOf(name), { answer: device }),

    /** Also lifts a quarantine. Sent twice it is harmless. */
    change: (name: string, verb: 'approve' | 'enable' | 'disable' | 'rotate-key' | 'revoke') =>
      http.request('POST', `${pathOf(name)}/${verb}`, { body: {}, answer: device }),

    /** The token with which another machine takes its place. */
    rebind: (name: string, expiresInSeconds: number) =>
      http.request('POST', `${pathOf(name)}/rebind`, {
        body: { expires_in_seconds: expiresInSeconds },
        answer: async () => (await import('../../shared/api/access.ts')).CreatedEnrolmentToken,
      }),

    rename: (name: string, newName: string) =>
      http.request('PUT', `${pathOf(name)}/rename`, { body: { new_name: newName }, answer: device }),

    /** Sets labels; null removes one. */
    label: (name: string, labels: Record<string, string | null>) =>
      http.request('PATCH', `${pathOf(name)}/labels`, { body: { labels }, answer: device }),

    remove: (name: string) => http.request('DELETE', pathOf(name), { answer: nothing }),
  };
};
