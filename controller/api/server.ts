import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify';
import { AppError } from '../../shared/errors.ts';
import { answerBadHttp } from './bad-http.ts';
import { EventStreams } from './event-streams.ts';
import { failureAnswerer } from './failures.ts';
import { type GuardParts, guard, type Principals } from './guard.ts';
import { acceptBodies, type BodyTexts } from './json-body.ts';
import { createLimits } from './limits.ts';
import { type ApiMetrics, createMetrics } from './metrics.ts';
import { openApiOptions, routeSchema } from './openapi.ts';
import { type ApiConfig, type ApiParts, defaultApiConfig } from './parts.ts';
import { requestIdOf } from './request-id.ts';
import type { OpenCall, Route } from './route.ts';
import { allRoutes } from './routes.ts';
import { giveUpSlowBodies } from './slow-requests.ts';
import { serializerCompiler, validatorCompiler } from './schemas.ts';
import { unknownRoute } from './unknown-route.ts';
import { UnusedSockets } from './unused-sockets.ts';

/** Answers that are not read for a HEAD. */
const streamed = ['text/event-stream', 'application/octet-stream'];

/** So that whoever composes the program need not know the framework. */
export type Api = FastifyInstance;

/** The REST interface, ready to listen or to be injected. Its `server` may carry the link's upgrades beside it. */
export async function createApi(
  given: Omit<ApiParts, 'config'> & { config?: Partial<ApiConfig> },
): Promise<Api> {
  const parts = { ...given, config: { ...defaultApiConfig, ...given.config } };
  const app = createServer(parts);
  const metrics = createMetrics(parts);
  const streams = new EventStreams(parts);
  const bodyTexts: BodyTexts = new WeakMap();
  let openApiText: string | undefined;
  const openApi = () => (openApiText ??= JSON.stringify(app.swagger()));
  const routes = allRoutes({ config: parts.config, metrics, streams, bodyTexts, openApi });

  addHooks(app, parts, { metrics, streams });
  app.setErrorHandler(failureAnswerer(parts.log));
  app.setNotFoundHandler(unknownRoute(routes));
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler(parts.config.checkAnswers));
  acceptBodies(app, bodyTexts);
  giveUpSlowBodies(app);

  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
  });
  await app.register(rateLimit, { global: false });
  await app.register(swagger, openApiOptions(parts.config));
  const guardParts = {
    parts,
    limits: createLimits(app, parts.config),
    principals: new WeakMap(),
    devices: new WeakMap(),
  };
  for (const route of routes) addRoute(app, route, guardParts);

  await app.ready();
  return app;
}

function createServer({ config, random, log }: ApiParts): FastifyInstance {
  const answerFailure = failureAnswerer(log);
  return fastify({
    ...(config.tls && { https: config.tls }),
    loggerInstance: log,
    // One line per answered request comes from a hook of ours.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: config.bodyLimitBytes,
    trustProxy: config.trustedProxies.length > 0 ? config.trustedProxies : false,
    genReqId: (request) => requestIdOf(request, random),
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id);
      void answerFailure(error, request, reply);
    },
    clientErrorHandler: (error, socket) => answerBadHttp(error, socket, random.uuid()),
    // A hook of ours answers with our own error body instead.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 512, ignoreTrailingSlash: false },
    // Headers have a minute by themselves, and bodies that are read whole by a hook of ours.
    requestTimeout: 0,
    // The same server over TLS or not; the framework has a type of its own for each, and for our logger.
  }) as unknown as FastifyInstance;
}

function addHooks(
  app: FastifyInstance,
  { log }: ApiParts,
  { metrics, streams }: { metrics: ApiMetrics; streams: EventStreams },
): void {
  let closing = false;
  const unused = new UnusedSockets(app.server);
  app.addHook('preClose', async () => {
    closing = true;
    streams.close();
    unused.destroy();
  });
  app.addHook('onRequest', async (request, reply) => {
    // Answers hold states and secrets: nobody on the way keeps them.
    reply.headers({ 'x-request-id': request.id, 'cache-control': 'no-store' });
    if (closing) {
      reply.header('connection', 'close');
      throw new AppError('unavailable', 'The controller is stopping', { detail: { retry_after_ms: 5_000 } });
    }
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    const seconds = reply.elapsedTime / 1000;
    const status = reply.raw.statusCode;
    metrics.answered({ method: request.method, route, status, seconds });
    log.debug({ requestId: request.id, method: request.method, route, status, seconds }, 'request answered');
  });
}

function addRoute(app: FastifyInstance, route: Route, guardParts: GuardParts): void {
  app.route({
    method: route.method,
    url: route.path,
    schema: routeSchema(route),
    ...(route.maxBodyBytes !== undefined && { bodyLimit: route.maxBodyBytes }),
    // An event stream has no end, and bytes would be read from the disk only to be thrown away.
    exposeHeadRoute: route.method === 'GET' && !streamed.includes(route.produces ?? ''),
    config: { consumes: route.consumes ?? 'application/json' },
    onRequest: guard(route, guardParts),
    handler: (request, reply) => handle(route, guardParts, { request, reply }),
  });
}

async function handle(
  route: Route,
  guardParts: GuardParts,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): Promise<FastifyReply> {
  const { params, query, body } = request;
  const open = { parts: guardParts.parts, params, query, body, request, reply };
  if (route.status !== undefined) reply.code(route.status);
  const answer = await answerOf(route, open, guardParts);
  if (reply.sent) return reply;
  return answer === undefined ? reply.code(204).send() : reply.send(answer);
}

function answerOf(route: Route, open: OpenCall, { principals, devices }: GuardParts): Promise<unknown> {
  if (route.role === 'public') return route.handle(open);
  if (route.role !== 'device') return route.handle({ ...open, ...callerOf(open.request, principals) });
  const device = devices.get(open.request);
  if (device === undefined) throw new Error('a route without a guard was called');
  return route.handle({ ...open, device });
}

function callerOf(request: FastifyRequest, principals: Principals) {
  const principal = principals.get(request);
  if (principal === undefined) throw new Error('a route without a guard was called');
  const actor = {
    name: principal.account.email,
    organizationId: principal.organization.id,
    ipAddress: request.ip,
    requestId: request.id,
  };
  return { principal, actor };
}
