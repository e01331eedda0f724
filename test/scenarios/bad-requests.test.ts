import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ErrorBody } from '../../shared/api/common.ts';
import { Cluster } from '../harness/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.create('bad-requests', { agents: ['bystander'] });
});
afterAll(() => cluster[Symbol.asyncDispose]());

const tasks = '/api/v1/organizations/default/tasks';
const ping = (over: object = {}) => ({ type: 'PING', targets: { devices: ['bystander'] }, ...over });

test.each([
  ['an unknown field', ping({ colour: 'red' }), 400, 'bad_request', /colour/],
  ['an unknown type', ping({ type: 'DANCE' }), 400, 'bad_request', /type/],
  ['no target at all', ping({ targets: {} }), 400, 'bad_request', /target/],
  [
    'a device that does not exist',
    ping({ targets: { devices: ['bystander', 'nobody'] } }),
    422,
    'unresolved_targets',
    /nobody/,
  ],
  ['a pattern that is none', ping({ targets: { devices: ['(('] } }), 400, 'bad_request', /\(\(/],
  ['parameters of wrong shape', ping({ payload: { count: 0 } }), 422, 'invalid_parameters', /count/],
  ['parameters that are not JSON', ping({ payload: '{' }), 422, 'invalid_parameters', /JSON/],
  ['a count of a batch that is none', ping({ rollout: { batch: 'half' } }), 400, 'bad_request', /batch/],
  ['a type of a later part', ping({ type: 'SYNC' }), 422, 'task_type_not_supported', /SYNC/],
] as const)(
  'a run with %s is refused, says why, and creates nothing',
  async (_name, body, status, code, says) => {
    const before = (await cluster.controller.call('GET', '/api/v1/tasks'))['total'];
    const answer = await cluster.controller.api('POST', tasks, body);
    expect({ status: answer.status, code: answer.body['code'] }).toEqual({ status, code });
    expect(answer.body['error']).toMatch(says);
    expect(ErrorBody.safeParse(answer.body).success).toBe(true);
    expect(answer.headers.get('x-request-id')).toBe(answer.body['request_id']);
    expect((await cluster.controller.call('GET', '/api/v1/tasks'))['total']).toBe(before);
  },
);

test.each([
  ['GET', '/api/v1/tasks/zzzzzzzz', 404, 'not_found'],
  ['GET', '/api/v1/nothing', 404, 'not_found'],
  ['GET', '/api/v1/tasks?status=DANCING', 400, 'bad_request'],
  ['GET', '/api/v1/tasks?per_page=1000', 400, 'bad_request'],
  ['GET', '/api/v1/tasks?device_name=((', 400, 'bad_request'],
  ['GET', '/api/v1/tasks?created_after=yesterday-ish', 400, 'bad_request'],
  ['GET', '/api/v1/tasks?sort_by=colour:asc', 400, 'bad_request'],
  ['GET', '/api/v1/organizations/nobody/devices', 404, 'not_found'],
  ['GET', '/api/v1/organizations/default/devices/nobody', 404, 'not_found'],
  ['POST', '/api/v1/tasks/zzzzzzzz/cancel', 404, 'not_found'],
] as const)('%s %s → %i %s', async (method, path, status, code) => {
  const answer = await cluster.controller.api(method, path);
  expect({ status: answer.status, code: answer.body['code'] }).toEqual({ status, code });
  expect(ErrorBody.safeParse(answer.body).success).toBe(true);
});

test('who does not say who he is, is refused', async () => {
  for (const authorization of ['', 'Bearer', 'Bearer wrong', 'Basic YTpi']) {
    const answer = await cluster.controller.api('GET', '/api/v1/tasks', undefined, { authorization });
    expect({ status: answer.status, code: answer.body['code'] }).toEqual({
      status: 401,
      code: 'not_authenticated',
    });
  }
});

test('bodies that are no JSON, of another media type, or too large', async () => {
  const { url, adminToken } = cluster.controller;
  const post = async (body: string, type: string) => {
    const response = await fetch(`${url}${tasks}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': type },
      body,
    });
    return { status: response.status, code: ((await response.json()) as ErrorBody).code };
  };
  expect(await post('{', 'application/json')).toEqual({ status: 400, code: 'bad_request' });
  expect(await post('a=b', 'text/plain')).toEqual({ status: 415, code: 'unsupported_media_type' });
  const large = JSON.stringify(ping({ payload: { host: 'x'.repeat(20_000_000) } }));
  expect(await post(large, 'application/json')).toEqual({ status: 413, code: 'payload_too_large' });
});

test('the same Idempotency-Key makes the tasks once; another request under it is refused', async () => {
  const headers = { 'idempotency-key': 'once' };
  const first = await cluster.controller.api('POST', tasks, ping(), headers);
  const again = await cluster.controller.api('POST', tasks, ping(), headers);
  expect(again.body).toEqual(first.body);
  const other = await cluster.controller.api('POST', tasks, ping({ force: true }), headers);
  expect({ status: other.status, code: other.body['code'] }).toEqual({
    status: 422,
    code: 'idempotency_mismatch',
  });
});

test('no body whatever brings the controller down or gets a 500', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (body) => {
      const answer = await cluster.controller.api('POST', tasks, body);
      expect([400, 413, 422]).toContain(answer.status);
      expect(ErrorBody.safeParse(answer.body).success).toBe(true);
    }),
    { numRuns: 100 },
  );
  expect((await fetch(`${cluster.controller.url}/healthz`)).status).toBe(200);
});
