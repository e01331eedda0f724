import { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { answerBadHttp } from './bad-http.ts';

/** A request whose body dribbles in for longer than this is given up. */
const bodyMs = 60_000;
/** A stream that does not move for so long is given up; how long all of it takes is up to its line. */
const idleMs = 60_000;

/** Bounds the time of every body that is read whole; the server's own bound would cut streams too. */
export function giveUpSlowBodies(app: FastifyInstance): void {
  const timers = new WeakMap<FastifyRequest, NodeJS.Timeout>();
  app.addHook('onRequest', async (request) => {
    const { consumes = 'application/json' } = request.routeOptions.config;
    if (consumes !== 'application/json') return;
    const giveUp = () => {
      const error = Object.assign(new Error('the body did not come'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
      answerBadHttp(error, request.raw.socket, request.id);
    };
    timers.set(request, setTimeout(giveUp, bodyMs).unref());
  });
  const stop = async (request: FastifyRequest) => clearTimeout(timers.get(request));
  app.addHook('preValidation', stop);
  app.addHook('onResponse', stop);
  app.addHook('onRequestAbort', stop);
}

/** Ends a connection over which nothing moves any more, in either direction, until the answer is out. */
export function giveUpIdle({ raw }: FastifyRequest): void {
  // Requests that tests inject have no connection.
  if (raw.socket instanceof Socket) raw.setTimeout(idleMs, () => raw.destroy());
}
