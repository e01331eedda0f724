import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../shared/errors.ts';
import { linkPath } from '../../shared/protocol/enrol.ts';
import { sessionPath } from '../../shared/protocol/session.ts';
import type { Method, Route } from './route.ts';

/** Answers what no route is for: 426 where something on the way took the upgrade out, 405 when the path exists with another method, else 404. */
export function unknownRoute(routes: Route[]) {
  const patterns = routes.map(({ method, path }) => ({ method, pattern: patternOf(path) }));

  return (request: FastifyRequest, reply: FastifyReply): never => {
    const [path = ''] = request.url.split('?');
    const methods = patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    if (path === linkPath || path === sessionPath)
      throw new AppError('upgrade_required', `${path} takes upgrades only, and this request has none`);
    if (methods.length === 0)
      throw new AppError('not_found', `There is nothing at ${request.method} ${path}`);

    const allowed = withHead(methods).join(', ');
    reply.header('allow', allowed);
    throw new AppError('method_not_allowed', `${path} does not know ${request.method}: expected ${allowed}`, {
      detail: { allowed: withHead(methods) },
    });
  };
}

const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/:[a-z]+/g, '[^/]+')}$`);

const withHead = (methods: Method[]): string[] =>
  methods.includes('GET') ? ['HEAD', ...methods] : [...methods];
