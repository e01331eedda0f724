import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ErrorBody } from '../../shared/api/common.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await ApiUnderTest.start();
  await api.device('edge-1');
});
afterAll(() => api[Symbol.asyncDispose]());

const submitPath = '/api/v1/organizations/default/tasks';

describe('whatever is wrong with a request, the answer is an error body', () => {
  test.each([
    ['a path that is none', 'GET', '/api/v1/tasks/%zz', {}, 400, 'bad_request', /not a valid URL/],
    ['a path nothing is at', 'GET', '/nothing', {}, 404, 'not_found', /nothing at GET \/nothing/],
    ['a name too long to exist', 'GET', `/api/v1/tasks/${'x'.repeat(600)}`, {}, 404, 'not_found', /too long/],
    ['another method', 'DELETE', '/api/v1/tasks', {}, 405, 'method_not_allowed', /expected HEAD, GET/],
    ['another method still', 'PUT', submitPath, { body: {} }, 405, 'method_not_allowed', /expected POST/],
    ['no JSON', 'POST', submitPath, { raw: '{' }, 400, 'bad_request', /not JSON/],
    ['no body', 'POST', submitPath, {}, 400, 'bad_request', /type: .*targets: /],
    ['an empty body', 'POST', submitPath, { raw: '' }, 400, 'bad_request', /type: /],
    ['null', 'POST', submitPath, { raw: 'null' }, 400, 'bad_request', /type: /],
    ['a list', 'POST', submitPath, { body: [] }, 400, 'bad_request', /expected object/],
    ['an unknown field', 'POST', submitPath, { body: { colour: 1 } }, 400, 'bad_request', /"colour"/],
    ['a prototype', 'POST', submitPath, { raw: '{"__proto__":{"a":1}}' }, 400, 'bad_request', /not valid/],
    [
      'a bottomless body',
      'POST',
      submitPath,
      { raw: '['.repeat(1_000_000) },
      400,
      'bad_request',
      /64 levels/,
    ],
    [
      'a large body',
      'POST',
      submitPath,
      { raw: `"${'x'.repeat(2 << 20)}"` },
      413,
      'payload_too_large',
      /larger/,
    ],
    [
      'another media type',
      'POST',
      submitPath,
      { raw: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      'unsupported_media_type',
      /application\/json/,
    ],
    ['an unknown query', 'GET', '/api/v1/tasks?colour=red', {}, 400, 'bad_request', /"colour"/],
    ['a query twice', 'GET', '/api/v1/tasks?status=FAILED&status=EXPIRED', {}, 400, 'bad_request', /status/],
    ['no token', 'GET', '/api/v1/tasks', { as: null }, 401, 'not_authenticated', /Authorization: Bearer/],
    [
      'another scheme',
      'GET',
      '/api/v1/tasks',
      { as: null, headers: { authorization: 'Basic YTpi' } },
      401,
      'not_authenticated',
      /Bearer TOKEN/,
    ],
    [
      'a wrong token',
      'GET',
      '/api/v1/tasks',
      { as: null, headers: { authorization: 'Bearer mst_wrong' } },
      401,
      'not_authenticated',
      /./,
    ],
  ] as const)('%s', async (_name, method, url, request, status, code, says) => {
    const answer = await api.call(method, url, request);
    expect({ status: answer.status, code: answer.body['code'] }).toEqual({ status, code });
    expect(answer.body['error']).toMatch(says);
    expect(ErrorBody.strict().parse(answer.body).request_id).toBe(answer.headers['x-request-id']);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  });

  test('what is not even HTTP', async () => {
    const listening = await ApiUnderTest.start();
    await using _ = listening;
    const { port } = new URL(await listening.listen());
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('NONSENSE\r\n\r\n');
    const answer = await text(socket);

    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    const [, body = ''] = answer.split('\r\n\r\n');
    expect(ErrorBody.parse(JSON.parse(body)).code).toBe('bad_request');
  });

  test('a large body that is still being sent', async () => {
    const listening = await ApiUnderTest.start();
    await using _ = listening;
    const answer = await fetch(`${await listening.listen()}${submitPath}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${listening.admin.token}`, 'content-type': 'application/json' },
      body: `"${'x'.repeat(20_000_000)}"`,
    });
    expect(answer.status).toBe(413);
    expect(ErrorBody.parse(await answer.json()).code).toBe('payload_too_large');
  });
});

describe('an error nobody foresaw', () => {
  test('says nothing of our insides, and is told apart by its request id', async () => {
    await using broken = await ApiUnderTest.start({}, ({ core }) => ({
      core: {
        ...core,
        tokens: core.tokens,
        devices: core.devices,
        events: core.events,
        status: () => core.status(),
        submit: () => Promise.reject(new Error('secret words of ours')),
        cancelTask: () => Promise.reject(new TypeError('more of them')),
        cancelRun: () => Promise.reject(Object.assign(new Error('SQLITE_FULL'), { code: 'SQLITE_FULL' })),
      },
    }));
    const body = { type: 'PING', targets: { all: true } };
    const answer = await broken.call('POST', submitPath, { body, headers: { 'x-request-id': 'mine-1' } });
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal', request_id: 'mine-1' } });
    expect(answer.text).not.toContain('secret');
    expect((await broken.call('PUT', '/api/v1/tasks/aaaaaaaa/cancel')).text).not.toContain('more of them');

    const full = await broken.call('PUT', '/api/v1/runs/aaaaaaaa/cancel');
    expect(full).toMatchObject({ status: 507, body: { code: 'disk_full' } });
  });
});

describe('a request id', () => {
  test('is taken from the request when it is plain, else made', async () => {
    const asked = async (id: string) =>
      (await api.call('GET', '/healthz', { headers: { 'x-request-id': id } })).headers['x-request-id'];

    expect(await asked('trace:4711.a-b_c')).toBe('trace:4711.a-b_c');
    expect(await asked('has spaces')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await asked('x'.repeat(65))).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('limits', () => {
  test('of a token answer 429 and say when to come back, and count each token apart', async () => {
    await using limited = await ApiUnderTest.start({ requestsPerMinute: 3 });
    const other = await limited.member('viewer');
    for (let index = 0; index < 3; index++) {
      expect((await limited.call('GET', '/api/v1/auth/me')).status).toBe(200);
    }
    const answer = await limited.call('GET', '/api/v1/auth/me');
    expect(answer).toMatchObject({ status: 429, body: { code: 'too_many_requests' } });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect((await limited.call('GET', '/api/v1/auth/me', { as: other })).status).toBe(200);
  });

  test('of strangers do not lock out whoever has a token behind the same address', async () => {
    await using limited = await ApiUnderTest.start({ strangerRequestsPerMinute: 2 });
    const wrong = () => limited.call('GET', '/api/v1/auth/me', { as: null });
    expect([(await wrong()).status, (await wrong()).status, (await wrong()).status]).toEqual([401, 401, 429]);
    expect((await limited.call('GET', '/api/v1/auth/me')).status).toBe(200);
  });

  test('of enrolments are counted by address', async () => {
    await using limited = await ApiUnderTest.start({ enrolmentsPerMinute: 1 });
    const enrol = () => limited.call('POST', '/api/v1/enrol', { as: null, body: {} });
    expect([(await enrol()).status, (await enrol()).status]).toEqual([400, 429]);
  });
});

describe('any JSON body', () => {
  const writes = [
    ['POST', submitPath],
    ['PUT', '/api/v1/tasks/aaaaaaaa/cancel'],
    ['POST', '/api/v1/runs/aaaaaaaa/cancel'],
    ['PUT', '/api/v1/organizations/default/devices/edge-1/rename'],
    ['PUT', '/api/v1/organizations/default/devices/edge-1/labels'],
    ['PATCH', '/api/v1/organizations/default/devices/edge-1/labels'],
    ['POST', '/api/v1/organizations/default/enrolment-tokens'],
    ['POST', '/api/v1/auth/tokens'],
    ['POST', '/api/v1/enrol'],
  ] as const;
  /** Near misses find more than noise: bodies with the right keys and any values. */
  const keys = ['type', 'targets', 'payload', 'devices', 'labels', 'all', 'rollout', 'batch', 'request'];
  const moreKeys = ['new_name', 'name', 'scope', 'secret', 'public_key', 'nonce', 'scheduled_at', 'canary'];
  const word = fc.constantFrom('PING', 'SCRIPT', 'edge-1', '((', '10%', '999999%', '__proto__', '{"host":1}');
  const { tree: body } = fc.letrec<{ tree: unknown; leaf: unknown; object: unknown; array: unknown }>(
    (tie) => ({
      leaf: fc.oneof(word, fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null)),
      array: fc.array(tie('tree'), { maxLength: 3 }),
      object: fc.dictionary(fc.constantFrom(...keys, ...moreKeys), tie('tree'), { maxKeys: 5 }),
      tree: fc.oneof({ maxDepth: 4 }, tie('leaf'), tie('array'), tie('object')),
    }),
  );

  test('gets an answer that is not 500, from every route that reads one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...writes),
        fc.oneof(body, fc.jsonValue()),
        async ([method, url], value) => {
          const answer = await api.call(method, url, { body: value });
          expect(answer.status, answer.text).toBeLessThan(500);
          if (answer.status >= 400) ErrorBody.strict().parse(answer.body);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('and any bytes, too', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...writes),
        fc.string({ unit: 'binary' }),
        async ([method, url], raw) => {
          const answer = await api.call(method, url, { raw });
          expect(answer.status, answer.text).toBeLessThan(500);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('and any query', async () => {
    const lists = fc.constantFrom('/api/v1/tasks', '/api/v1/runs', '/api/v1/organizations/default/devices');
    const names = [
      'device_name',
      'name',
      'status',
      'created_after',
      'sort_by',
      'page',
      'label',
      'run',
      'online',
    ];
    const query = fc.dictionary(fc.constantFrom(...names), fc.string({ unit: 'binary' }), { maxKeys: 3 });
    await fc.assert(
      fc.asyncProperty(lists, query, async (path, values) => {
        const answer = await api.call('GET', `${path}?${new URLSearchParams(values)}`);
        expect(answer.status, answer.text).toBeLessThan(500);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the service itself', () => {
  test('is alive at once, and ready when the loops of its core run', async () => {
    await using starting = await ApiUnderTest.start();
    expect(await starting.call('GET', '/healthz', { as: null })).toMatchObject({
      status: 200,
      body: { status: 'ok' },
    });
    expect((await starting.call('HEAD', '/healthz', { as: null })).status).toBe(200);
    const early = await starting.call('GET', '/readyz', { as: null });
    expect(early).toMatchObject({
      status: 503,
      body: { detail: { checks: { store: 'ok', dispatcher: 'failed' } } },
    });
    expect(early.headers['retry-after']).toBe('5');

    starting.run();
    await expect
      .poll(() => starting.call('GET', '/readyz', { as: null }), { timeout: 10_000 })
      .toMatchObject({ status: 200, body: { status: 'ready' } });
  });

  test('shows metrics without the name of anything', async () => {
    // Of its own: the random bodies above may have renamed the other.
    await api.device('metered-1');
    await api.submit(['metered-1']);
    const { text: page, headers } = await api.call('GET', '/metrics', { as: null });
    expect(headers['content-type']).toContain('text/plain');
    expect(page).toMatch(/^muster_tasks\{state="PENDING",type="PING"\} [1-9]/m);
    expect(page).toMatch(/^muster_devices_online 0$/m);
    expect(page).toMatch(
      /^muster_http_requests_total\{method="POST",route="\/api\/v1\/organizations\/:organization\/tasks",status="200"\} [1-9]/m,
    );
    expect(page).not.toContain('metered-1');
  });

  test('keeps its metrics to members when it is told so', async () => {
    await using closed = await ApiUnderTest.start({ metricsAccess: 'viewer' });
    expect((await closed.call('GET', '/metrics', { as: null })).status).toBe(401);
    expect((await closed.call('GET', '/metrics')).status).toBe(200);
  });

  test('closes although somebody opened a connection and never asked for anything', async () => {
    const closing = await ApiUnderTest.start();
    const { port } = new URL(await closing.listen());
    const socket = connect(Number(port), '127.0.0.1');
    await once(closing.app.server, 'connection');
    const ended = once(socket, 'close');
    await closing[Symbol.asyncDispose]();
    await ended;
  });

  test('lets nobody keep an answer', async () => {
    expect((await api.call('GET', '/api/v1/auth/me')).headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
  });
});
