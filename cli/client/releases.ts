import { openAsBlob } from 'node:fs';
import type { PluginInstallRequest } from '../../shared/api/releases.ts';
import { given } from '../arguments/given.ts';
import type { Http } from './http.ts';
import { homeOf, type Paging } from './paging.ts';

const schemas = () => import('../../shared/api/releases.ts');
const ofVersion = async () => (await schemas()).ReleasesOfVersion;
/** Some hundred megabytes over a slow line. */
const uploadMs = 3_600_000;

export const releaseRoutes = (http: Http, organization: string) => {
  const home = homeOf(organization);
  const pathOf = (version: string) => `${home}/releases/${encodeURIComponent(version)}`;
  return {
    list: (query: Paging) =>
      http.request('GET', `${home}/releases`, { query, answer: async () => (await schemas()).ReleaseList }),

    add: async (file: string, signature: string) =>
      http.request('POST', `${home}/releases`, {
        query: { signature: Buffer.from(signature).toString('base64') },
        bytes: await openAsBlob(file),
        timeoutMs: uploadMs,
        answer: async () => (await schemas()).Release,
      }),

    promote: (version: string, name: string | undefined) =>
      http.request('POST', `${pathOf(version)}/promote`, { body: given({ name }), answer: ofVersion }),

    yank: (version: string, name: string | undefined) =>
      http.request('POST', `${pathOf(version)}/yank`, { body: given({ name }), answer: ofVersion }),

    install: (body: PluginInstallRequest, idempotencyKey: string) =>
      http.request('POST', `${home}/plugin-install`, {
        body,
        idempotencyKey,
        answer: async () => (await import('../../shared/api/tasks.ts')).RunAnswer,
      }),
  };
};
