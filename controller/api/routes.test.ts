import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiUnderTest, type Member } from '../../test/harness/api.ts';
import { scheduleSample } from '../../test/harness/schedule-samples.ts';
import { sessionSample } from '../../test/harness/session-samples.ts';
import { configurationSample } from '../../test/harness/configuration-samples.ts';

import { contentSample } from '../../test/harness/content-samples.ts';
import { ErrorBody, roles } from '../../shared/api/common.ts';
import { generateKeyPair } from '../../shared/node/keys.ts';
import type { EventStreams } from './event-streams.ts';
import type { ApiMetrics } from './metrics.ts';
import { defaultApiConfig } from './parts.ts';
import type { Route } from './route.ts';
import { allRoutes } from './routes.ts';

const callers = ['nobody', 'viewer', 'operator', 'admin', 'read-only admin', 'foreign admin'] as const;
type Caller = (typeof callers)[number];

let api: ApiUnderTest;
let members: Record<Caller, Member | null>;
let count = 0;
beforeAll(async () => {
  api = await ApiUnderTest.start();
  const foreign = await api.organization('elsewhere');
  members = {
    nobody: null,
    viewer: await api.member('viewer'),
    operator: await api.member('operator'),
    admin: api.admin,
    'read-only admin': await api.member('admin', 'RO'),
    'foreign admin': await api.member('admin', 'RW', foreign),
  };
});
afterAll(() => api[Symbol.asyncDispose]());

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
  test.each(callers)('answers %s as its rule says', async (caller) => {
    const expected = expectedStatus(route, caller);
    // The stream has no end; who gets past the guard is seen in its own tests.
    if (route.produces === 'text/event-stream' && expected === 'allowed') return;

    const { url, body } = await requestFor(route, caller);
    const answer = await api.call(route.method, url, { as: members[caller], ...(body && { body }) });
    if (expected === 'allowed') {
      expect(answer.status, answer.text).toBeLessThan(400);
      return;
    }
    expect(answer.status, answer.text).toBe(expected);
    expect(ErrorBody.parse(answer.body).request_id).toBe(answer.headers['x-request-id']);
  });
});

function expectedStatus({ role, method, path }: Route, caller: Caller): number | 'allowed' {
  // People have no key of a device; who has one is seen in the tests of these routes.
  if (role === 'device') return 401;
  if (role === 'public') return path === '/readyz' ? 503 : 'allowed';
  if (caller === 'nobody') return 401;
  // Tokens are the caller's own, wherever they belong to.
  if (caller === 'foreign admin') return /:(organization|task|run)/.test(path) ? 404 : 'allowed';
  if (caller === 'read-only admin') return method === 'GET' ? 'allowed' : 403;
  return roles.indexOf(caller) < roles.indexOf(role) ? 403 : 'allowed';
}

interface Sample {
  values?: Record<string, string>;
  query?: string;
  body?: object;
}

/** A request that would succeed for whoever may make it, on things made for it alone. */
async function requestFor(route: Route, caller: Caller): Promise<{ url: string; body?: object }> {
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
  if (route.path === '/api/v1/auth/tokens/:name' && caller !== 'nobody') {
    const actor = { name: 'test', organizationId: member.organization.id, ipAddress: null, requestId: null };
    await api.core.tokens.mintAccessToken(actor, member.account, { name, scope: 'RW', expiresAt: null });
  }
  if (route.path.endsWith('/enrolment-tokens/:name')) await enrolmentToken(name);

  const sample: Sample | undefined =
    (await configurationSample(api, route, name)) ??
    (await contentSample(api, route, name)) ??
    (await scheduleSample(api, route, name)) ??
    (await sessionSample(api, route, name));
  Object.assign(values, sample?.values);
  const body = sample ? sample.body : await bodyFor(route, name);
  const path = route.path.replaceAll(/:([a-z]+)/g, (_, key: string) => values[key] ?? 'missing');
  const url = sample?.query === undefined ? path : `${path}?${sample.query}`;
  return { url, ...(body && { body }) };
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
    'GET /healthz',
    'GET /readyz',
    'GET /metrics',
    'GET /api/openapi.json',
  ]);
});
