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
import { acceptJsonOnly, type BodyTexts } from './json-body.ts';
import { createLimits } from './limits.ts';
import { type ApiMetrics, createMetrics } from './metrics.ts';
import { openApiOptions, routeSchema } from './openapi.ts';
import { type ApiConfig, type ApiParts, defaultApiConfig } from './parts.ts';
import { requestIdOf } from './request-id.ts';
import type { Route } from './route.ts';
import { allRoutes } from './routes.ts';
import { serializerCompiler, validatorCompiler } from './schemas.ts';
import { unknownRoute } from './unknown-route.ts';
import { UnusedSockets } from './unused-sockets.ts';

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
  acceptJsonOnly(app, bodyTexts);

  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
  });
  await app.register(rateLimit, { global: false });
  await app.register(swagger, openApiOptions(parts.config));
  const guardParts = { parts, limits: createLimits(app, parts.config), principals: new WeakMap() };
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
    // A request that dribbles in for longer than this is given up. Milliseconds.
    requestTimeout: 60_000,
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
    // An event stream has no end, so there is nothing to tell about it without reading it.
    exposeHeadRoute: route.method === 'GET' && route.produces !== 'text/event-stream',
    onRequest: guard(route, guardParts),
    handler: (request, reply) => handle(route, guardParts, { request, reply }),
  });
}

async function handle(
  route: Route,
  { parts, principals }: { parts: ApiParts; principals: Principals },
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): Promise<FastifyReply> {
  const { params, query, body } = request;
  const open = { parts, params, query, body, request, reply };
  const answer = await (route.role === 'public'
    ? route.handle(open)
    : route.handle({ ...open, ...callerOf(request, principals) }));
  if (reply.sent) return reply;
  return answer === undefined ? reply.code(204).send() : reply.send(answer);
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
