import { z } from 'zod';
import { DeviceName, Labels } from '../ids.ts';
import { RawPublicKey } from './key-change.ts';

/** Where agents say hello: WebSocket upgrade with `Authorization: Bearer <JWT>`, signed by the device's key (EdDSA), `aud` = controller id,
 * `sub` = device id, `exp` at most 60 s ahead, `jti` once. */
export const linkPath = '/link';
export const linkTokenLifetimeSeconds = 60;

/** The text an operator carries to the device: address and fingerprint of the controller, and a secret. `me1.` + base64url of this as JSON. */
export const EnrolmentTicket = z.object({
  /** Base URL of the controller. */
  url: z.url({ protocol: /^https?$/ }),
  /** SHA-256 of the controller's raw Ed25519 public key, hex: nothing is trusted on first use. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  secret: z.string().min(20).max(256),
});
export type EnrolmentTicket = z.output<typeof EnrolmentTicket>;
export const ticketPrefix = 'me1.';

/** POST /api/v1/enrol */
export const EnrolRequest = z.strictObject({
  /** The secret of the ticket. */
  secret: z.string().min(1).max(256),
  name: DeviceName,
  /** Raw Ed25519 public key, base64url. */
  public_key: RawPublicKey,
  /** Fresh random text; the answer is signed over it. */
  nonce: z.string().min(16).max(128),
  agent_version: z.string().max(64),
  labels: Labels.optional(),
});
export type EnrolRequest = z.output<typeof EnrolRequest>;

/** What the controller signs in its answer, as the exact text of `EnrolAnswer.statement`. */
export const EnrolStatement = z.object({
  nonce: z.string(),
  device_id: z.string(),
  name: z.string(),
  organization: z.string(),
  controller_id: z.string(),
  public_key: z.string(),
});
export type EnrolStatement = z.output<typeof EnrolStatement>;

export const EnrolAnswer = z.object({
  status: z.enum(['PENDING', 'ENABLED', 'DISABLED']),
  statement: z.string(),
  /** Raw Ed25519 public key of the controller, base64url; its SHA-256 must be the ticket's fingerprint. */
  controller_key: z.string(),
  /** Ed25519 over the bytes of `statement`, base64url. */
  signature: z.string(),
});
export type EnrolAnswer = z.output<typeof EnrolAnswer>;

/** Body of a refused upgrade (401, 403, 426, 429, 503), beside `error` and `code` of every REST error. */
export const LinkRefusalDetail = z.object({
  /** The controller's clock, so that a device with a wrong clock can sign tokens that are valid there. */
  controller_time: z.number().int(),
  retry_after_ms: z.int().min(0),
});
export type LinkRefusalDetail = z.output<typeof LinkRefusalDetail>;
