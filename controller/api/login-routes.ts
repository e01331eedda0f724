import type { FastifyRequest } from 'fastify';
import { Me } from '../../shared/api/access.ts';
import {
  ChangePassword,
  LoginRequest,
  PasswordChanged,
  RefreshRequest,
  SessionTokens,
} from '../../shared/api/accounts.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { Granted } from '../access/logins.ts';
import type { Origin } from '../access/origin.ts';
import { accessTokenSeconds } from '../access/session-jwt.ts';
import { showMe } from './account-routes.ts';
import { openRoute, type Route, route } from './route.ts';

const tag = 'account';

const login = openRoute({
  method: 'POST',
  path: '/api/auth/login',
  role: 'public',
  limit: 'stranger',
  tag,
  summary: 'Begin a session with e-mail and password',
  body: LoginRequest,
  answer: SessionTokens,
  errors: ['not_authenticated', 'disabled', 'unavailable'],
  handle: async ({ parts, body, request }) =>
    showGranted(await parts.core.access.logins.login(body, originOf(request))),
});

const refresh = openRoute({
  method: 'POST',
  path: '/api/auth/refresh',
  role: 'public',
  limit: 'stranger',
  tag,
  summary: 'Get a new access token; the refresh token is good once, and used twice it ends the session',
  body: RefreshRequest,
  answer: SessionTokens,
  errors: ['not_authenticated'],
  handle: async ({ parts, body, request }) =>
    showGranted(await parts.core.access.logins.refresh(body.refresh_token, originOf(request))),
});

const logout = openRoute({
  method: 'POST',
  path: '/api/auth/logout',
  role: 'public',
  limit: 'stranger',
  tag,
  summary: 'End a session',
  body: RefreshRequest,
  handle: ({ parts, body, request }) =>
    parts.core.access.logins.logout(body.refresh_token, originOf(request)),
});

const me = route({
  method: 'GET',
  path: '/api/auth/me',
  role: 'viewer',
  tag,
  summary: 'Who the token belongs to; as /api/v1/auth/me',
  answer: Me,
  handle: showMe,
});

const password = route({
  method: 'POST',
  path: '/api/auth/password',
  role: 'viewer',
  tag,
  summary: 'Change your password, which ends your other sessions',
  body: ChangePassword,
  answer: PasswordChanged,
  errors: ['conflict', 'unavailable'],
  handle: async ({ parts, actor, principal, body }) => {
    const wish = { current: body.current, next: body.new };
    return { sessions_ended: await parts.core.access.ownPassword.change(actor, principal, wish) };
  },
});

export const loginRoutes: Route[] = [login, refresh, logout, me, password];

export const originOf = ({ ip, id }: FastifyRequest): Origin => ({ ipAddress: ip, requestId: id });

export const showGranted = ({ accessToken, refreshToken, refreshExpiresAt, membership }: Granted) => ({
  access_token: accessToken,
  token_type: 'Bearer' as const,
  expires_in: accessTokenSeconds,
  refresh_token: refreshToken,
  refresh_expires_at: rfc3339(refreshExpiresAt),
  email: membership.account.email,
  organization: membership.organization.name,
  role: membership.account.role,
});
