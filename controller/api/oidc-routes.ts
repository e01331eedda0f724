import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SessionTokens } from '../../shared/api/accounts.ts';
import {
  AskOidcDevice,
  OidcDevice,
  OidcDeviceAnswer,
  RedeemOidc,
  StartOidc,
  StartOidcDevice,
} from '../../shared/api/oidc.ts';
import { AppError } from '../../shared/errors.ts';
import { oidcCallbackPath } from '../access/access.ts';
import { loginMs, type OidcLogins } from '../access/oidc/oidc-logins.ts';
import { originOf, showGranted } from './login-routes.ts';
import type { ApiParts } from './parts.ts';
import { openRoute, type Route } from './route.ts';

const tag = 'account';
const root = '/api/auth/oidc';
const cookieName = 'muster_oidc';

const start = openRoute({
  method: 'GET',
  path: `${root}/start`,
  role: 'public',
  limit: 'stranger',
  tag,
  summary: 'Send a browser to the identity provider',
  query: StartOidc,
  errors: ['not_found', 'unavailable'],
  handle: async ({ parts, query, reply }) => {
    const { challenge, state, port, organization = null } = query;
    const { location, cookie } = await oidcOf(parts).start({ challenge, state, port, organization });
    setCookie(reply, parts, cookie);
    reply.redirect(location);
  },
});

const callback = openRoute({
  method: 'GET',
  path: oidcCallbackPath,
  role: 'public',
  limit: 'stranger',
  tag,
  summary:
    'Where the identity provider sends browsers back to; sends them on with a code, or what went wrong',
  query: z.record(z.string(), z.string()),
  errors: ['not_found', 'not_authenticated'],
  handle: async ({ parts, request, reply }) => {
    const { search } = new URL(request.url, 'http://controller');
    const location = await oidcOf(parts).finish(search, cookieOf(request), originOf(request));
    setCookie(reply, parts, '');
    reply.redirect(location);
  },
});

const token = openRoute({
  method: 'POST',
  path: `${root}/token`,
  role: 'public',
  limit: 'stranger',
  tag,
  summary: 'Begin a session with the code of a login by browser',
  body: RedeemOidc,
  answer: SessionTokens,
  errors: ['not_found', 'not_authenticated', 'disabled'],
  handle: async ({ parts, body, request }) =>
    showGranted(await oidcOf(parts).redeem(body, originOf(request))),
});

const startDevice = openRoute({
  method: 'POST',
  path: `${root}/device`,
  role: 'public',
  limit: 'stranger',
  tag,
  summary: 'Begin a login that is done on another device',
  body: StartOidcDevice,
  answer: OidcDevice,
  errors: ['not_found', 'unavailable'],
  handle: async ({ parts, body }) => {
    const begun = await oidcOf(parts).startDevice(body.organization ?? null);
    const complete = begun.verificationUriComplete;
    return {
      device: begun.device,
      user_code: begun.userCode,
      verification_uri: begun.verificationUri,
      ...(complete !== undefined && { verification_uri_complete: complete }),
      expires_in: begun.expiresInSeconds,
      interval: begun.intervalSeconds,
    };
  },
});

const askDevice = openRoute({
  method: 'POST',
  path: `${root}/device/token`,
  role: 'public',
  limit: 'stranger',
  tag,
  summary: 'Begin the session when the login on the other device is done; 202 while it is not',
  body: AskOidcDevice,
  answer: OidcDeviceAnswer,
  errors: ['not_found', 'not_authenticated', 'forbidden', 'disabled', 'unavailable'],
  handle: async ({ parts, body, request, reply }) => {
    const answer = await oidcOf(parts).askDevice(body.device, originOf(request));
    if (typeof answer !== 'string') return showGranted(answer);
    reply.code(202);
    return { status: answer };
  },
});

export const oidcRoutes: Route[] = [start, callback, token, startDevice, askDevice];

function oidcOf({ core }: ApiParts): OidcLogins {
  const { oidc } = core.access;
  if (oidc === undefined) throw new AppError('not_found', 'No identity provider is configured here');
  return oidc;
}

/** Lax: the provider's own page sends the browser back. */
function setCookie(reply: FastifyReply, { config }: ApiParts, value: string): void {
  const secure = config.publicUrl?.startsWith('https:') ? '; Secure' : '';
  const seconds = value === '' ? 0 : loginMs / 1000;
  reply.header(
    'set-cookie',
    `${cookieName}=${value}; Path=${root}; HttpOnly; SameSite=Lax; Max-Age=${seconds}${secure}`,
  );
}

const cookieOf = ({ headers }: FastifyRequest): string =>
  new RegExp(`(?:^|; ?)${cookieName}=([\\w.-]{1,4096})`).exec(headers.cookie ?? '')?.[1] ?? '';
