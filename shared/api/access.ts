import { z } from 'zod';
import { Labels } from '../ids.ts';
import { OrganizationName, PageQuery, Role, Timestamp, listOf } from './common.ts';

const tokenName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'expected a name of 1 to 63 plain characters');
const displayName = z.string().trim().min(1).max(128);
const ttlSeconds = z.int().min(60).max(31_536_000);

export const Organization = z.object({
  id: z.string(),
  name: OrganizationName,
  display_name: z.string(),
  status: z.literal('ENABLED'),
  role: Role.describe('of the caller'),
  device_count: z.int(),
  created_at: Timestamp,
});
export type Organization = z.output<typeof Organization>;
export const OrganizationList = listOf(Organization);

/** POST /api/v1/organizations. Whoever makes it is its first admin. */
export const CreateOrganization = z.strictObject({
  name: OrganizationName,
  display_name: displayName.optional().describe('as the name when absent'),
});
/** PATCH /api/v1/organizations/{organization}: what is absent stays. */
export const ChangeOrganization = z.strictObject({
  name: OrganizationName.optional(),
  display_name: displayName.optional(),
});

/** GET /api/v1/auth/me */
export const Me = z.object({
  email: z.string(),
  name: z.string(),
  organization: z.string(),
  role: Role,
  token: z.string(),
  organizations: z
    .array(z.object({ name: z.string(), display_name: z.string(), role: Role }))
    .default([])
    .describe('where it may be used: a session everywhere its owner is, a token where it was made'),
});
export type Me = z.output<typeof Me>;

/** Personal access tokens: shown once, stored hashed. */
export const AccessToken = z.object({
  name: z.string(),
  token_prefix: z.string(),
  scope: z.enum(['RW', 'RO']),
  organization: z.string(),
  expires_at: Timestamp.nullable(),
  last_used_at: Timestamp.nullable(),
  created_at: Timestamp,
  is_expired: z.boolean(),
  is_revoked: z.boolean(),
});
export type AccessToken = z.output<typeof AccessToken>;
export const AccessTokenList = listOf(AccessToken);
export const CreateAccessToken = z.strictObject({
  name: tokenName,
  scope: z.enum(['RW', 'RO']).default('RW').describe('RO may only read'),
  expires_in_seconds: ttlSeconds
    .nullable()
    .default(90 * 86_400)
    .describe('null: never'),
});
export const CreatedAccessToken = AccessToken.extend({ token: z.string().describe('shown only now') });
export type CreatedAccessToken = z.output<typeof CreatedAccessToken>;

/** Enrolment tokens let devices ask to join; the device still waits for approval unless `auto_approve`. */
export const EnrolmentToken = z.object({
  name: z.string(),
  token_prefix: z.string(),
  uses: z.int(),
  max_uses: z.int().nullable(),
  auto_approve: z.boolean(),
  labels: Labels,
  expires_at: Timestamp.nullable(),
  created_at: Timestamp,
  is_expired: z.boolean(),
  is_revoked: z.boolean(),
});
export type EnrolmentToken = z.output<typeof EnrolmentToken>;
export const EnrolmentTokenList = listOf(EnrolmentToken);
export const CreateEnrolmentToken = z.strictObject({
  name: tokenName,
  max_uses: z.int().min(1).max(1_000_000).nullable().default(1).describe('null: unlimited'),
  expires_in_seconds: ttlSeconds.nullable().default(86_400).describe('null: never'),
  auto_approve: z.boolean().default(false),
  labels: Labels.default({}).describe('given to devices that join with it'),
});
export const CreatedEnrolmentToken = EnrolmentToken.extend({
  token: z.string().describe('shown only now; carries the controller’s address and key fingerprint'),
});
export type CreatedEnrolmentToken = z.output<typeof CreatedEnrolmentToken>;
export const TokenQuery = z.strictObject({ ...PageQuery });

/** One row of the audit log: who changed what. */
export const AuditEntry = z.object({
  id: z.int().describe('negative for a move of a task: the cursor of its event'),
  at: Timestamp,
  actor: z.string().describe('e-mail of a person, or `controller`, `device NAME`'),
  action: z.string().describe('noun.verb'),
  target: z.string(),
  detail: z.record(z.string(), z.unknown()),
  ip_address: z.string().nullable(),
  request_id: z.string().nullable(),
});
export type AuditEntry = z.output<typeof AuditEntry>;
export const AuditList = listOf(AuditEntry);
export const AuditQuery = z.strictObject({
  actor: z.string().max(256).optional(),
  action: z.string().max(64).optional(),
  target: z.string().max(256).optional(),
  search: z.string().min(1).max(128).optional().describe('in any field, in any letter case'),
  created_after: z.string().max(64).optional(),
  created_before: z.string().max(64).optional(),
  ...PageQuery,
});
