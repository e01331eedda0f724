import type { ConnectRequest, SessionQuery } from '../../shared/api/sessions.ts';
import type { Http } from './http.ts';

const schemas = () => import('../../shared/api/sessions.ts');

export const sessionRoutes = (http: Http, organization: string) => {
  const root = `/api/v1/organizations/${encodeURIComponent(organization)}`;
  const pathOf = (session: string) => `${root}/sessions/${encodeURIComponent(session)}`;
  return {
    open: (device: string, body: Partial<ConnectRequest>) =>
      http.request('POST', `${root}/devices/${encodeURIComponent(device)}/connect`, {
        body,
        answer: async () => (await schemas()).ConnectAnswer,
      }),
    list: (query: Partial<SessionQuery>) =>
      http.request('GET', `${root}/sessions`, { query, answer: async () => (await schemas()).SessionList }),
    describe: (session: string) =>
      http.request('GET', pathOf(session), { answer: async () => (await schemas()).Session }),
    close: (session: string) =>
      http.request('DELETE', pathOf(session), { answer: async () => (await schemas()).Session }),
    recording: (session: string, sha256: string, signal: AbortSignal) =>
      http.stream(`${pathOf(session)}/recordings/${sha256}`, {}, { headers: {}, signal }),
  };
};
