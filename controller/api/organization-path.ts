import { z } from 'zod';

/** Path parameter of everything that belongs to an organization; the guard has checked that it is the caller's. */
export const OrganizationPath = z.strictObject({ organization: z.string().max(64).describe('name or id') });
