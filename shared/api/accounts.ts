import { z } from 'zod';
import { OrganizationName, PageQuery, Role, Timestamp, listOf } from './common.ts';

/** As it is compared: letter case does not count. */
export const Email = z
  .string()
  .max(254)
  .regex(/^[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,189}$/, 'expected an e-mail address of ASCII characters')
  .transform((email) => email.toLowerCase());

/** Long rather than contrived: nothing is asked of the characters. */
export const NewPassword = z
  .string()
  .min(12, 'expected at least 12 characters')
  .max(256, 'expected at most 256 characters');

/** A secret that is only compared: whatever its form, the answer to a wrong one is the same. */
const GivenSecret = z.string().max(1024);

/** POST /api/auth/login */
export const LoginRequest = z.strictObject({
  email: z.string().max(254),
  password: GivenSecret,
  organization: OrganizationName.optional().describe('where the session begins, for whoever is in several'),
});

/** Answer to login and refresh. */
export const SessionTokens = z.object({
  access_token: z.string().describe('JWT: goes into Authorization: Bearer'),
  token_type: z.literal('Bearer'),
  expires_in: z.int().describe('seconds until the access token expires'),
  refresh_token: z.string().describe('good once, for POST /api/auth/refresh'),
  refresh_expires_at: Timestamp,
  email: z.string(),
  organization: z.string(),
  role: Role,
});
export type SessionTokens = z.output<typeof SessionTokens>;

/** POST /api/auth/refresh and POST /api/auth/logout */
export const RefreshRequest = z.strictObject({ refresh_token: GivenSecret });

/** POST /api/auth/password */
export const ChangePassword = z.strictObject({ current: GivenSecret, new: NewPassword });
export const PasswordChanged = z.object({ sessions_ended: z.int().describe('all but the one that asked') });

/** Somebody in an organization. */
export const Account = z.object({
  email: z.string(),
  name: z.string(),
  role: Role,
  status: z.enum(['ENABLED', 'DISABLED']),
  last_login: Timestamp.nullable(),
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type Account = z.output<typeof Account>;
export const AccountList = listOf(Account);
export const AccountQuery = z.strictObject({ ...PageQuery });

/** POST …/accounts. Without a password one is made, unless the person has one already. */
export const CreateAccount = z.strictObject({
  email: Email,
  name: z.string().trim().min(1).max(128).optional().describe('as the e-mail when absent'),
  role: Role.default('viewer'),
  password: NewPassword.optional(),
});
export const SetRole = z.strictObject({ role: Role });
export const ResetPassword = z.strictObject({ password: NewPassword.optional() });

/** `password` is there only when the controller made one. */
export const AccountWithPassword = Account.extend({
  password: z.string().optional().describe('made by the controller; shown only now'),
});
export type AccountWithPassword = z.output<typeof AccountWithPassword>;
