import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assistantSample } from '../../test/harness/assistant-samples.ts';
import { accessSample } from '../../test/harness/access-samples.ts';
import { ApiDevice } from '../../test/harness/api-device.ts';
import type { Answer, ApiUnderTest, Member } from '../../test/harness/api.ts';
import { type OidcUnderTest, startOidc } from '../../test/harness/oidc-browser.ts';
import { oidcSample } from '../../test/harness/oidc-samples.ts';
import { questionSample } from '../../test/harness/question-samples.ts';
import { scheduleSample } from '../../test/harness/schedule-samples.ts';
import { sessionSample } from '../../test/harness/session-samples.ts';
import { releaseSample } from '../../test/harness/release-samples.ts';
import { webhookSample } from '../../test/harness/webhook-samples.ts';
import { configurationSample } from '../../test/harness/configuration-samples.ts';
import { personLoggedIn } from '../../test/harness/people.ts';
import { contentSample } from '../../test/harness/content-samples.ts';
import { silentModel } from '../../test/harness/silent-model.ts';
import { viewSample } from '../../test/harness/view-samples.ts';
import { ErrorBody, type Role, roles } from '../../shared/api/common.ts';
import { NestedErrorBody } from '../../shared/api/task-schedules-view.ts';
import { generateKeyPair } from '../../shared/node/keys.ts';
import type { EventStreams } from './event-streams.ts';
import type { ApiMetrics } from './metrics.ts';
import { defaultApiConfig } from './parts.ts';
import type { Route } from './route.ts';
import { allRoutes } from './routes.ts';
import { hasNestedErrors } from './views/nested-error.ts';

/** Everybody who may come: with which role, by what, and from where. */
const callers = {
  nobody: {},
  viewer: { role: 'viewer' },
  operator: { role: 'operator' },
  admin: { role: 'admin' },
  'operator who logged in': { role: 'operator', by: 'session' },
  'read-only operator': { role: 'operator', by: 'RO' },
  'read-only admin': { role: 'admin', by: 'RO' },
  'foreign viewer': { role: 'viewer', isForeign: true },
  'foreign operator': { role: 'operator', isForeign: true },
  'foreign admin': { role: 'admin', isForeign: true },
  device: { by: 'device' },
} as const satisfies Record<string, { role?: Role; by?: 'session' | 'RO' | 'device'; isForeign?: true }>;
type Caller = keyof typeof callers;
const callerNames = Object.keys(callers) as Caller[];

let oidc: OidcUnderTest;
let api: ApiUnderTest;
let members: Partial<Record<Caller, Member>>;
let device: ApiDevice;
let count = 0;
beforeAll(async () => {
  oidc = await startOidc({}, { assistant: silentModel });
  ({ api } = oidc);
  const foreign = await api.organization('elsewhere');
  members = {
    viewer: await api.member('viewer'),
    operator: await api.member('operator'),
    admin: api.admin,
    'operator who logged in': await personLoggedIn(api, 'operator'),
    'read-only operator': await api.member('operator', 'RO'),
    'read-only admin': await api.member('admin', 'RO'),
    'foreign viewer': await api.member('viewer', 'RW', foreign),
    'foreign operator': await api.member('operator', 'RW', foreign),
    'foreign admin': await api.member('admin', 'RW', foreign),
  };
  device = await ApiDevice.make(api);
});
afterAll(() => oidc[Symbol.asyncDispose]());

/** Made without a server: the table alone decides what is tested. */
const routes: Route[] = allRoutes({
  config: defaultApiConfig,
  // Neither is used by looking at the table.
  metrics: {} as ApiMetrics,
  streams: {} as EventStreams,
  bodyTexts: new WeakMap(),
  openApi: () => '',
});
const nameOf = ({ method, path }: Route) => `${method} ${path}`;

describe.each(routes.map((route) => [nameOf(route), route] as const))('%s', (_name, route) => {
  test.each(callerNames)('answers %s as its rule says', async (caller) => {
    const expected = expectedStatus(route, caller);
    // The stream has no end; who gets past the guard is seen in its own tests.
    if (route.produces === 'text/event-stream' && expected === 'allowed') return;

    const { url, body, headers } = await requestFor(route, caller);
    const answer = await api.call(route.method, url, {
      as: members[caller] ?? null,
      ...(body && { body }),
      headers: {
        ...headers,
        ...(caller === 'device' && { authorization: `Bearer ${await device.token()}` }),
      },
    });
    if (expected === 'allowed') {
      expect(answer.status, answer.text).toBeLessThan(400);
      if (caller === 'admin' && route.method !== 'GET') {
        expect(await isWrittenDown(answer)).toBe(!(nameOf(route) in unwritten));
      }
      return;
    }
    if (expected === 'past the guard') {
      expect([401, 403], answer.text).not.toContain(answer.status);
      return;
    }
    expect(answer.status, answer.text).toBe(expected);
    expect(answer.headers['x-request-id']).toMatch(/^[\w-]+$/);
    if (hasNestedErrors(route.path)) expect(NestedErrorBody.parse(answer.body).error.status).toBe(expected);
    else expect(ErrorBody.parse(answer.body).request_id).toBe(answer.headers['x-request-id']);
  });
});

/** What leaves no entry in the audit log, and why. */
const unwritten: Record<string, string> = {
  'POST /api/auth/refresh': 'the session goes on; that a refresh token is used twice is written down',
  'POST /api/auth/oidc/device': 'nothing has begun here: the provider is asked for a code',
  'POST /api/v1/organizations/:organization/sync/plan': 'a plan changes nothing',
  'POST /api/v1/organizations/:organization/backups/retention':
    'a plan changes nothing; with `apply` it is written down',
};

/** Whether the audit log has an entry of this very request. */
async function isWrittenDown({ headers }: Answer): Promise<boolean> {
  const filter = { organizationId: api.admin.organization.id, search: String(headers['x-request-id']) };
  return (await api.store.audit.list(filter, { page: 1, perPage: 1 })).total > 0;
}

function expectedStatus(route: Route, name: Caller): number | 'allowed' | 'past the guard' {
  const { role, method, path } = route;
  const caller: { role?: Role; by?: string; isForeign?: true } = callers[name];
  if (role === 'public') return path === '/readyz' ? 503 : 'allowed';
  // People have no key of a device; what one may do with its key is seen in the tests of these routes.
  if (role === 'device') return caller.by === 'device' ? 'past the guard' : 401;
  if (caller.role === undefined) return 401;
  if (caller.isForeign && path.includes(':organization')) return 404;
  if (caller.isForeign && 'home' in route) return 403;
  if (roles.indexOf(caller.role) < roles.indexOf(role)) return 403;
  if (caller.by === 'RO' && method !== 'GET') return 403;
  // All but `default` may be deleted: seen in the tests of organizations.
  if (`${method} ${path}` === 'DELETE /api/v1/organizations/:organization') return 409;
  // What is the caller's own is allowed, wherever they belong to.
  return caller.isForeign && /:(task|run|question)/.test(path) ? 404 : 'allowed';
}

interface Sample {
  values?: Record<string, string>;
  query?: string;
  body?: object;
  headers?: Record<string, string>;
}

/** A request that would succeed for whoever may make it, on things made for it alone. */
async function requestFor(
  route: Route,
  caller: Caller,
): Promise<{ url: string; body?: object; headers?: Record<string, string> }> {
  const name = `thing-${++count}`;
  const values: Record<string, string> = { organization: 'default', name };
  if (route.path.includes(':device')) {
    await api.device(name, { status: route.path.endsWith('/approve') ? 'PENDING' : 'ENABLED' });
    values['device'] = name;
  }
  if (/:(task|run)/.test(route.path) || route.path.endsWith('/tasks')) {
    await api.device(name);
    if (/:(task|run)/.test(route.path)) {
      const { run, tasks } = await api.submit([name]);
      values['run'] = run;
      values['task'] = tasks[0] ?? '';
    }
  }
  const member = members[caller] ?? api.admin;
  if (route.path === '/api/v1/auth/tokens/:name') {
    const actor = { name: 'test', organizationId: member.organization.id, ipAddress: null, requestId: null };
    await api.core.tokens.mintAccessToken(actor, member.account, { name, scope: 'RW', expiresAt: null });
  }
  if (route.path.endsWith('/enrolment-tokens/:name')) await enrolmentToken(name);

  const sample: Sample | undefined =
    (await oidcSample(oidc, route)) ??
    (await accessSample(api, route, member)) ??
    (await viewSample(api, route, name)) ??
    (await configurationSample(api, route, name)) ??
    (await contentSample(api, route, name)) ??
    (await scheduleSample(api, route, name)) ??
    (await questionSample(api, route)) ??
    (await assistantSample(api, route)) ??
    (await webhookSample(api, route, name)) ??
    (await releaseSample(api, route, name)) ??
    (await sessionSample(api, route, name));
  Object.assign(values, sample?.values);
  const body = sample ? sample.body : await bodyFor(route, name);
  const path = route.path.replaceAll(/:([a-z]+)/g, (_, key: string) => values[key] ?? 'missing');
  const url = sample?.query === undefined ? path : `${path}?${sample.query}`;
  return { url, ...(body && { body }), ...(sample?.headers && { headers: sample.headers }) };
}

async function bodyFor({ method, path }: Route, name: string): Promise<object | undefined> {
  if (method === 'GET' || method === 'DELETE') return undefined;
  if (path === '/api/v1/enrol') {
    const { secret } = await enrolmentToken(name);
    const { publicKey } = generateKeyPair();
    return { secret, name, public_key: publicKey, nonce: 'n'.repeat(16), agent_version: '0.1.0' };
  }
  if (path.endsWith('/rename')) return { new_name: `${name}-renamed` };
  if (path.endsWith('/labels')) return { labels: { site: 'berlin' } };
  if (path.endsWith('tokens')) return { name };
  if (path.endsWith('/:organization/tasks')) return { type: 'PING', targets: { devices: [name] } };
  return {};
}

async function enrolmentToken(name: string): Promise<{ secret: string }> {
  const { organization, account } = api.admin;
  const actor = { name: account.email, organizationId: organization.id, ipAddress: null, requestId: null };
  const wish = { name, maxUses: 1, autoApprove: false, labels: {}, expiresAt: null };
  const { ticket } = await api.core.tokens.mintEnrolmentToken(actor, organization, wish);
  const text = Buffer.from(ticket.slice(ticket.indexOf('.') + 1), 'base64url').toString();
  return JSON.parse(text) as { secret: string };
}

test('every route of the server is in the table, and has a rule', () => {
  const served = api.app.printRoutes({ commonPrefix: false });
  for (const { path, role } of routes) {
    expect(['public', 'device', ...roles]).toContain(role);
    expect(served).toContain(path.split('/').at(-1));
  }
  const documented = Object.entries(api.app.swagger().paths ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods ?? {}).map(
      (method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    ),
  );
  expect(documented.sort()).toEqual(routes.map(nameOf).sort());
});

test('only what has to be open is open', () => {
  const open = routes.filter(({ role }) => role === 'public').map(nameOf);
  expect(open).toEqual([
    'POST /api/v1/enrol',
    'POST /api/auth/login',
    'POST /api/auth/refresh',
    'POST /api/auth/logout',
    'GET /api/auth/oidc/start',
    'GET /api/auth/oidc/callback',
    'POST /api/auth/oidc/token',
    'POST /api/auth/oidc/device',
    'POST /api/auth/oidc/device/token',
    'GET /healthz',
    'GET /readyz',
    'GET /metrics',
    'GET /api/openapi.json',
  ]);
});
