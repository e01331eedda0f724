import { z } from 'zod';

/** RFC 3339 in UTC, as every time in an answer. */
export const Timestamp = z.iso.datetime({ offset: true });

/** Paging of every list: `page` from 1, `per_page` at most 100. */
export const PageQuery = {
  page: z.coerce.number().int().min(1).max(1_000_000).default(1).describe('page, from 1'),
  per_page: z.coerce.number().int().min(1).max(100).default(30).describe('items per page, at most 100'),
};

/** The list envelope. */
export const listOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), total: z.int(), page: z.int(), per_page: z.int(), pages: z.int() });

/** Body of every error. */
export const ErrorBody = z.object({
  error: z.string().describe('a sentence that names the thing, what was expected and what came'),
  code: z.string().describe('stable word for programs'),
  detail: z.unknown().optional().describe('more, for programs'),
  request_id: z.string().describe('as in the X-Request-Id header and the controller’s log'),
});
export type ErrorBody = z.output<typeof ErrorBody>;

/** A boolean in a query string. */
export const QueryFlag = z.enum(['true', 'false']).transform((value) => value === 'true');

/** Roles, each may do what the one before it may. */
export const roles = ['viewer', 'operator', 'admin'] as const;
export const Role = z.enum(roles);
export type Role = z.output<typeof Role>;

export const OrganizationName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,62}$/,
    'expected an organization name of lower-case letters, digits and hyphens',
  );
