import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { ErrorCode } from '../../shared/errors.ts';
import type { Role } from '../../shared/api/common.ts';
import type { Actor } from '../devices/actor.ts';
import type { AdmittedDevice } from '../devices/admission.ts';
import type { Principal } from '../store/access.ts';
import type { ApiParts } from './parts.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A request without a bearer. */
export interface OpenCall<Params = unknown, Query = unknown, Body = unknown> {
  parts: ApiParts;
  params: Params;
  query: Query;
  body: Body;
  request: FastifyRequest;
  reply: FastifyReply;
}

/** A request of somebody who may make it: token, role, scope and organization are checked before any handler runs. */
export interface Call<Params = unknown, Query = unknown, Body = unknown>
  extends OpenCall<Params, Query, Body> {
  principal: Principal;
  actor: Actor;
}

/** A request of a device that proved its key. */
export interface DeviceCall<Params = unknown, Query = unknown, Body = unknown>
  extends OpenCall<Params, Query, Body> {
  device: AdmittedDevice;
}

interface RouteShape<
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Answer extends z.ZodType,
> {
  method: Method;
  /** With `:name` parameters. `:organization` must be the caller's own: anything else is answered 404. */
  path: string;
  tag: string;
  summary: string;
  params?: Params;
  query?: Query;
  /** An absent body counts as `{}`. */
  body?: Body;
  /** Of the body, when it may be larger than others. */
  maxBodyBytes?: number;
  /** Absent: 204, or the route answers by itself. */
  answer?: Answer;
  /** Of success, when it is neither 200 nor 204. */
  status?: 201 | 202;
  /** Media type of a body that is not JSON: it is handed over as a stream, not read, and not bounded. */
  consumes?: 'application/octet-stream';
  /** Media type of an answer that is not JSON. */
  produces?: string;
  /** Foreseen errors beyond those every route of its kind has. */
  errors?: ErrorCode[];
}

/** A route for people with a token. A method other than GET also needs a token of scope RW. */
export interface MemberRoute<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Answer extends z.ZodType = z.ZodType,
> extends RouteShape<Params, Query, Body, Answer> {
  role: Role;
  /** For members of `default` only: it is about the controller as a whole. */
  home?: true;
  // Methods, not function properties: their parameters are bivariant, so that routes of any schema fit in one list.
  handle(call: Call<z.output<Params>, z.output<Query>, z.output<Body>>): Promise<z.output<Answer>>;
}

/** A route that anybody may call. */
export interface OpenRoute<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Answer extends z.ZodType = z.ZodType,
> extends RouteShape<Params, Query, Body, Answer> {
  role: 'public';
  /** Which of the limits by address counts. */
  limit: 'none' | 'stranger' | 'enrolment';
  handle(call: OpenCall<z.output<Params>, z.output<Query>, z.output<Body>>): Promise<z.output<Answer>>;
}

/** A route for devices: each request carries a token of its own, signed with the device's key, as the link does. */
export interface DeviceRoute<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Answer extends z.ZodType = z.ZodType,
> extends RouteShape<Params, Query, Body, Answer> {
  role: 'device';
  handle(call: DeviceCall<z.output<Params>, z.output<Query>, z.output<Body>>): Promise<z.output<Answer>>;
}

export type Route = MemberRoute | OpenRoute | DeviceRoute;

/** Gives a route its exact types. Who may call it cannot be left out. */
export const route = <
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Answer extends z.ZodType,
>(
  definition: MemberRoute<Params, Query, Body, Answer>,
): MemberRoute => definition;

export const deviceRoute = <
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Answer extends z.ZodType,
>(
  definition: DeviceRoute<Params, Query, Body, Answer>,
): DeviceRoute => definition;

export const openRoute = <
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Answer extends z.ZodType,
>(
  definition: OpenRoute<Params, Query, Body, Answer>,
): OpenRoute => definition;
