import type { ChangeWebhook, CreateWebhook, Redeliver } from '../../shared/api/webhooks.ts';
import type { Http } from './http.ts';
import { nothing } from './nothing.ts';
import { homeOf, type Paging } from './paging.ts';

const schemas = () => import('../../shared/api/webhooks.ts');
const webhook = async () => (await schemas()).Webhook;
const webhookWithSecret = async () => (await schemas()).WebhookWithSecret;

export const webhookRoutes = (http: Http, organization: string) => {
  const all = `${homeOf(organization)}/webhooks`;
  const pathOf = (name: string) => `${all}/${encodeURIComponent(name)}`;
  return {
    list: (query: Paging) =>
      http.request('GET', all, { query, answer: async () => (await schemas()).WebhookList }),

    describe: (name: string) => http.request('GET', pathOf(name), { answer: webhook }),

    create: (body: Omit<CreateWebhook, 'enabled'>) =>
      http.request('POST', all, { body, answer: webhookWithSecret }),

    change: (name: string, body: ChangeWebhook) =>
      http.request('PATCH', pathOf(name), { body, answer: webhook }),

    enable: (name: string, catchUp: boolean) =>
      http.request('POST', `${pathOf(name)}/enable`, { body: { catch_up: catchUp }, answer: webhook }),

    disable: (name: string) => http.request('POST', `${pathOf(name)}/disable`, { body: {}, answer: webhook }),

    rotateSecret: (name: string) =>
      http.request('POST', `${pathOf(name)}/rotate-secret`, { body: {}, answer: webhookWithSecret }),

    test: (name: string) =>
      http.request('POST', `${pathOf(name)}/test`, {
        body: {},
        answer: async () => (await schemas()).Delivery,
      }),

    deliveries: (name: string, query: Paging & { failed?: boolean }) =>
      http.request('GET', `${pathOf(name)}/deliveries`, {
        query,
        answer: async () => (await schemas()).DeliveryList,
      }),

    redeliver: (name: string, body: Redeliver) =>
      http.request('POST', `${pathOf(name)}/redeliver`, {
        body,
        answer: async () => (await schemas()).RedeliverAnswer,
      }),

    remove: (name: string) => http.request('DELETE', pathOf(name), { answer: nothing }),
  };
};
