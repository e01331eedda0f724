import type { Http } from './http.ts';
import { nothing } from './nothing.ts';

const oidc = () => import('../../shared/api/oidc.ts');
const answer = async () => (await import('../../shared/api/accounts.ts')).SessionTokens;

const wrongPassword = {
  not_authenticated:
    'Check the e-mail and the password. An admin gives you another one: muster user reset-password EMAIL; who comes by the identity provider: muster auth login --oidc',
};

/** Sessions of people; none of it needs a token. */
export const loginRoutes = (http: Http) => ({
  login: (body: { email: string; password: string; organization?: string }) =>
    http.request('POST', '/api/auth/login', { body, answer, hints: wrongPassword }),
  refresh: (refresh_token: string) =>
    http.request('POST', '/api/auth/refresh', { body: { refresh_token }, answer }),
  logout: (refresh_token: string) =>
    http.request('POST', '/api/auth/logout', { body: { refresh_token }, answer: nothing }),

  redeemOidc: (body: { code: string; verifier: string }) =>
    http.request('POST', '/api/auth/oidc/token', { body, answer }),
  startOidcDevice: (body: { organization?: string }) =>
    http.request('POST', '/api/auth/oidc/device', { body, answer: async () => (await oidc()).OidcDevice }),
  askOidcDevice: (device: string) =>
    http.request('POST', '/api/auth/oidc/device/token', {
      body: { device },
      answer: async () => (await oidc()).OidcDeviceAnswer,
    }),
});
