import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../../shared/errors.ts';

/** The text of a JSON body, kept for requests with an Idempotency-Key: its digest tells a repetition from another request. */
export type BodyTexts = WeakMap<FastifyRequest, string>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Media type of the body that the route reads. */
    consumes?: string;
  }
}

/**
 * JSON is the only body there is, except on routes that say otherwise: these are handed the stream itself. Bodies that would reach into
 * prototypes, and bodies nested so deep that walking them would exhaust the stack, are refused; an empty one counts as absent.
 */
export function acceptBodies(app: FastifyInstance, texts: BodyTexts): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (!wants(request, 'application/json')) return done(wrongType(request));
    const text = String(body);
    if (request.headers['idempotency-key'] !== undefined) texts.set(request, text);
    if (text.trim() === '') return done(null, undefined);
    if (isNestedDeeperThan(maxDepth, text)) {
      return done(new AppError('bad_request', `The body is nested deeper than ${maxDepth} levels`));
    }
    // It calls back before it returns.
    void parseJson(request, text, (error, value) => {
      if (error === null) return done(null, value);
      done(new AppError('bad_request', 'The body is not valid: it is not JSON', { cause: error }));
    });
  });
  app.addContentTypeParser('application/octet-stream', (request, stream, done) => {
    if (wants(request, 'application/octet-stream')) done(null, stream);
    else done(wrongType(request));
  });
}

const wants = ({ routeOptions }: FastifyRequest, type: string): boolean =>
  (routeOptions.config.consumes ?? 'application/json') === type;

const wrongType = ({ routeOptions, headers }: FastifyRequest): AppError =>
  new AppError(
    'unsupported_media_type',
    `The body is ${headers['content-type']}, expected the header Content-Type: ${routeOptions.config.consumes ?? 'application/json'}`,
  );

const maxDepth = 64;

function isNestedDeeperThan(limit: number, text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '\\' && quoted) index++;
    else if (character === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (character === '{' || character === '[') {
      if (++depth > limit) return true;
    } else if (character === '}' || character === ']') depth--;
  }
  return false;
}
