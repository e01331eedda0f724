import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { TaskTypeList } from '../../shared/api/task-types.ts';
import { contractOf } from '../../shared/task-types/contracts.ts';
import { taskTypeNames } from '../../shared/task-types/task-type.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';

let api: ApiUnderTest;
let document: OpenApi;
beforeAll(async () => {
  api = await ApiUnderTest.start();
  const answer = await api.call('GET', '/api/openapi.json', { as: null });
  expect(answer.status).toBe(200);
  document = OpenApi.parse(answer.body);
});
afterAll(() => api[Symbol.asyncDispose]());

const Operation = z.looseObject({
  operationId: z.string(),
  summary: z.string().min(5),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  responses: z.record(
    z.string(),
    z.looseObject({ description: z.string(), content: z.unknown().optional() }),
  ),
});
const OpenApi = z.looseObject({
  openapi: z.literal('3.1.0'),
  paths: z.record(z.string(), z.record(z.string(), Operation)),
  components: z.looseObject({
    securitySchemes: z.object({
      token: z.looseObject({ type: z.literal('http'), scheme: z.literal('bearer') }),
    }),
    schemas: z.record(z.string(), z.looseObject({})),
  }),
});
type OpenApi = z.output<typeof OpenApi>;

const operations = () => Object.values(document.paths).flatMap((methods) => Object.values(methods));

test('every operation has its own id, a summary, and errors with the body of its vocabulary', () => {
  const ids = operations().map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.values(methods).map((operation) => ({ path, ...operation })),
  );
  for (const { path, operationId, responses } of all) {
    const body = path.startsWith('/api/tasks/') ? 'NestedErrorBody' : 'ErrorBody';
    const failures = Object.entries(responses).filter(([status]) => Number(status) >= 400);
    expect(failures.length, operationId).toBeGreaterThan(0);
    for (const [, { content }] of failures)
      expect(content).toEqual({ 'application/json': { schema: { $ref: `#/components/schemas/${body}` } } });
  }
});

test('what needs a token says so, and names the errors of its kind', () => {
  const submit = document.paths['/api/v1/organizations/{organization}/tasks']?.['post'];
  expect(submit?.security).toEqual([{ token: [] }]);
  expect(Object.keys(submit?.responses ?? {})).toEqual(
    expect.arrayContaining(['200', '400', '401', '403', '404', '413', '415', '422', '429', '500']),
  );
  expect(document.paths['/api/v1/enrol']?.['post']?.security).toEqual([]);
});

test('refers only to schemas that are there', () => {
  const referred = JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g);
  for (const [, name = ''] of referred) expect(document.components.schemas).toHaveProperty(name);
});

test('carries the descriptions of the schemas', () => {
  expect(JSON.stringify(document.paths['/api/v1/tasks'])).toContain('regular expression that occurs in it');
});

test('has a schema for the parameters of every supported task type, as the list of task types has', async () => {
  const { items } = (await api.call('GET', '/api/v1/task-types')).body as TaskTypeList;
  expect(items.map(({ name }) => name)).toEqual(taskTypeNames);
  for (const { name, supported, parameters } of items) {
    expect(supported).toBe(contractOf(name) !== undefined);
    if (supported) expect(document.components.schemas[`${name}_parameters`]).toMatchObject(parameters ?? {});
    else expect(parameters).toBeNull();
  }
  expect(items.find(({ name }) => name === 'PING')).toMatchObject({
    lane: 'read',
    timeout_seconds: 120,
    parameters: { type: 'object', properties: { count: { type: 'integer', maximum: 100 } } },
  });
});
