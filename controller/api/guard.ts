import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../shared/errors.ts';
import { type Role, roles } from '../../shared/api/common.ts';
import type { AdmittedDevice } from '../devices/admission.ts';
import { homeOrganization } from '../devices/actor.ts';
import type { Principal } from '../store/access.ts';
import type { RequestLimits } from './limits.ts';
import type { ApiParts } from './parts.ts';
import type { Route } from './route.ts';

/** For routes that name no organization: where the owner of a session wants to act. */
const organizationHeader = 'muster-organization';

/** Who asks, once the guard has let a request through. */
export type Principals = WeakMap<FastifyRequest, Principal>;
export type Devices = WeakMap<FastifyRequest, AdmittedDevice>;

export interface GuardParts {
  parts: ApiParts;
  limits: RequestLimits;
  principals: Principals;
  devices: Devices;
}

/**
 * The check that runs before the body of a request is even read, made from the route's own rule: a route cannot be without one.
 * First who it is (401), then whether the organization is theirs (404: what is not yours does not exist), then whether they may (403).
 */
export function guard(route: Route, { parts, limits, principals, devices }: GuardParts) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (route.role === 'public') {
      if (route.limit !== 'none') await limits[route.limit](request, reply);
      return;
    }
    if (route.role === 'device') {
      devices.set(request, await authenticateDevice(request, reply, { parts, limits }));
      return;
    }
    const asked = route.home ? homeOrganization : askedOrganization(request);
    const principal = await authenticate(request, reply, { parts, limits, asked });
    await limits.token(request, reply, principal.token.id);
    if (route.home) requireHome(route, principal);
    else requireOwnOrganization(request, principal);
    requireRole(route, route.role, principal);
    principals.set(request, principal);
  };
}

/** The secret of `Authorization: Bearer SECRET`. */
export function bearerOf(request: FastifyRequest): string {
  const header = request.headers.authorization;
  if (header === undefined)
    throw new AppError(
      'not_authenticated',
      'This needs a token: expected the header Authorization: Bearer TOKEN',
    );
  const secret = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header.trim())?.[1];
  if (secret === undefined)
    throw new AppError('not_authenticated', 'The Authorization header is not of the form Bearer TOKEN');
  return secret;
}

async function authenticate(
  request: FastifyRequest,
  reply: FastifyReply,
  { parts, limits, asked }: Pick<GuardParts, 'parts' | 'limits'> & { asked: string | undefined },
): Promise<Principal> {
  try {
    return await parts.core.access.logins.authenticate(bearerOf(request), asked);
  } catch (error) {
    // Only failures count, so that nobody behind the same address is locked out with a token that is good.
    if (error instanceof AppError && error.status === 401) await limits.stranger(request, reply);
    throw error;
  }
}

/** Each device may ask as often as a token may; only strangers are counted by address. */
async function authenticateDevice(
  request: FastifyRequest,
  reply: FastifyReply,
  { parts, limits }: Pick<GuardParts, 'parts' | 'limits'>,
): Promise<AdmittedDevice> {
  let device: AdmittedDevice;
  try {
    device = await parts.core.admission.authenticateRequest(request.headers.authorization);
  } catch (error) {
    if (error instanceof AppError && error.status === 401) await limits.stranger(request, reply);
    throw error;
  }
  await limits.token(request, reply, `device ${device.id}`);
  return device;
}

/** An organization may be named in the path or the query, else in a header, by name or id; a caller sees their own only. */
function requireOwnOrganization(request: FastifyRequest, { organization }: Principal): void {
  for (const asked of askedOrganizations(request)) {
    if (asked !== organization.name && asked !== organization.id) {
      throw new AppError(
        'not_found',
        `Organization ${JSON.stringify(asked)} does not exist, or you are not a member of it`,
      );
    }
  }
}

function askedOrganizations({ params, query, headers }: FastifyRequest): unknown[] {
  const named = [params, query].flatMap((part) =>
    typeof part === 'object' && part !== null && 'organization' in part ? [part.organization] : [],
  );
  return named.length > 0 ? named : [headers[organizationHeader] ?? []].flat();
}

function askedOrganization(request: FastifyRequest): string | undefined {
  const [asked] = askedOrganizations(request);
  return typeof asked === 'string' ? asked : undefined;
}

function requireHome({ method, path }: Route, { account, organization }: Principal): void {
  if (organization.name === homeOrganization) return;
  throw new AppError(
    'forbidden',
    `${method} ${path} is for members of ${homeOrganization}; ${account.email} acts in ${organization.name}`,
  );
}

function requireRole(route: Route, needed: Role, { account, token }: Principal): void {
  if (roles.indexOf(account.role) < roles.indexOf(needed)) {
    throw new AppError(
      'forbidden',
      `${account.email} has the role ${account.role}; ${route.method} ${route.path} needs ${needed}`,
      { detail: { role: account.role, needed } },
    );
  }
  if (route.method !== 'GET' && token.scope === 'RO') {
    throw new AppError(
      'forbidden',
      `The token ${token.name} may only read; ${route.method} ${route.path} needs a token of scope RW`,
      { detail: { scope: token.scope, needed: 'RW' } },
    );
  }
}
