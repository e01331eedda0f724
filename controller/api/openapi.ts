import { STATUS_CODES } from 'node:http';
import type { SwaggerOptions } from '@fastify/swagger';
import type { FastifySchema } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ErrorBody } from '../../shared/api/common.ts';
import { NestedErrorBody } from '../../shared/api/task-schedules-view.ts';
import { type ErrorCode, errorTable } from '../../shared/errors.ts';
import { taskContracts } from '../../shared/task-types/contracts.ts';
import { jsonSchemaOf } from './json-schema.ts';
import { namedSchemas } from './named-schemas.ts';
import { hasNestedErrors } from './views/nested-error.ts';
import type { ApiConfig } from './parts.ts';
import type { Route } from './route.ts';

/** Settings of the document; what it says of each route comes from the route's own schemas. */
export function openApiOptions(config: ApiConfig): SwaggerOptions {
  // zod keeps descriptions in its global registry, so names have to go there to appear together with them.
  for (const [id, schema] of Object.entries(namedSchemas))
    z.globalRegistry.add(schema, { ...z.globalRegistry.get(schema), id });

  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Muster',
        version: config.version,
        description: 'Runs tasks on firewalls and appliances, and shows a state that is true.',
      },
      servers: [{ url: config.publicUrl ?? '/' }],
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'Personal access token' },
          device: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'Signed by a device' },
        },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => withSchemas(jsonSchemaTransformObject(document)),
  };
}

/** What the framework is told of one route: for parsing requests, and for the document. */
export function routeSchema(route: Route): FastifySchema {
  return {
    ...(route.params && { params: route.params }),
    ...(route.query && { querystring: route.query }),
    ...(route.body && { body: route.body }),
    response: { ...success(route), ...failures(route) },
    tags: [route.tag],
    summary: route.summary,
    description: rule(route),
    operationId: operationId(route),
    security: securityOf(route),
  };
}

function securityOf({ role }: Route): Record<string, string[]>[] {
  if (role === 'public') return [];
  return [role === 'device' ? { device: [] } : { token: [] }];
}

function rule({ role, method, consumes }: Route): string {
  if (role === 'public') return 'Needs no token.';
  if (role === 'device') {
    const body = consumes === undefined ? '' : ` The body is ${consumes}.`;
    return `For devices: each request carries a JWT of its own, signed with the device’s key.${body}`;
  }
  return `Needs the role ${role}${method === 'GET' ? '' : ' and a token of scope RW'}.`;
}

/** `GET /api/v1/tasks/:task/logs` → `getTasksTaskLogs` */
const operationId = ({ method, path }: Route): string =>
  method.toLowerCase() +
  path
    .replace(/^\/api\/v1/, '')
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');

function success({ answer, status, produces }: Route): Record<number, unknown> {
  if (answer !== undefined) return { [status ?? 200]: said(status ?? 200, 'application/json', answer) };
  if (produces !== undefined) return { 200: said(200, produces, z.string()) };
  return { 204: z.undefined().describe('No Content') };
}

/** Every error has the same body; its statuses follow from what the route reads, who may call it, and what it may meet. */
function failures(route: Route): Record<number, unknown> {
  const codes: ErrorCode[] = [...(route.errors ?? []), 'internal'];
  if (route.params || route.query || route.body) codes.push('bad_request');
  if (route.params) codes.push('not_found');
  if (route.body) codes.push('payload_too_large', 'unsupported_media_type');
  if (route.role !== 'public') codes.push('not_authenticated', 'forbidden', 'too_many_requests');
  else if (route.limit !== 'none') codes.push('too_many_requests');
  const body = hasNestedErrors(route.path) ? NestedErrorBody : ErrorBody;
  return Object.fromEntries(
    codes
      .map((code) => errorTable[code].status)
      .map((status) => [status, said(status, 'application/json', body)]),
  );
}

const said = (status: number, mediaType: string, schema: z.ZodType) => ({
  description: STATUS_CODES[status] ?? 'Error',
  content: { [mediaType]: { schema } },
});

type Document = ReturnType<typeof jsonSchemaTransformObject>;

/** Leaves out the named schemas nothing refers to (each exists once for reading and once for writing), and adds those of the task types. */
function withSchemas(document: Document): Document {
  const components = 'components' in document ? document.components : undefined;
  const schemas: Record<string, unknown> = { ...components?.schemas };
  const { paths } = document as { paths?: unknown };
  const referredTo = (from: unknown): string[] =>
    [...JSON.stringify(from).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name = '']) => name);
  const used = new Set(referredTo(paths ?? {}));
  // A set visits what is added to it on the way.
  for (const name of used) for (const deeper of referredTo(schemas[name])) used.add(deeper);
  for (const name of Object.keys(schemas)) if (!used.has(name)) delete schemas[name];
  for (const contract of Object.values(taskContracts)) {
    schemas[`${contract.name}_parameters`] = {
      title: contract.summary,
      ...jsonSchemaOf(contract.parameters, 'input'),
    };
    schemas[`${contract.name}_result`] = jsonSchemaOf(contract.result, 'output');
  }
  return { ...document, components: { ...components, schemas } } as Document;
}
