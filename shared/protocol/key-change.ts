import { z } from 'zod';

/** Raw Ed25519 public key, base64url. */
export const RawPublicKey = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, 'expected a raw Ed25519 public key in base64url');

/** One key takes the place of another. Both sign the exact text of `statement`, so that nobody can name a key that is not theirs. */
export const SignedKeyChange = z.object({
  statement: z.string().max(1024),
  /** Ed25519 over the bytes of `statement`, base64url. */
  by_old: z.string().max(128),
  by_next: z.string().max(128),
});
export type SignedKeyChange = z.output<typeof SignedKeyChange>;

const keys = { old: RawPublicKey, next: RawPublicKey };

/** A device says that it has a new key. */
export const DeviceKeyChange = z.object({
  purpose: z.literal('device-key'),
  controller: z.string(),
  device: z.string(),
  ...keys,
});

/** A controller says that it has a new key. */
export const ControllerKeyChange = z.object({
  purpose: z.literal('controller-key'),
  controller: z.string(),
  ...keys,
  /** What the old key signed is obeyed until then, by the clock of the controller; 0: no more. */
  old_until: z.number().int(),
});
export type ControllerKeyChange = z.output<typeof ControllerKeyChange>;

/** More changes than this are not kept: enrol devices anew that missed all of them. */
export const maxKeyChanges = 64;
export const KeyChanges = z.array(SignedKeyChange).max(maxKeyChanges);
