import { z } from 'zod';
import { SessionTokens } from './accounts.ts';
import { OrganizationName } from './common.ts';

const organization = OrganizationName.optional().describe(
  'where the session begins, for whoever is in several',
);

/** GET /api/auth/oidc/start: sends a browser to the identity provider. */
export const StartOidc = z.strictObject({
  challenge: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/, 'expected a SHA-256 in base64url')
    .describe('S256 of a verifier that is shown when the login is taken up'),
  state: z
    .string()
    .regex(/^[A-Za-z0-9_-]{16,128}$/, 'expected 16 to 128 characters of base64url')
    .describe('comes back as it is'),
  port: z.coerce
    .number({
      error:
        'expected a port of 127.0.0.1 where the client listens: the controller has no page that logs in by itself, use muster auth login --oidc',
    })
    .int()
    .min(1024)
    .max(65_535)
    .describe('of 127.0.0.1, where the client listens'),
  organization,
});

/** POST /api/auth/oidc/token: the code that came back, good once and for a minute. */
export const RedeemOidc = z.strictObject({
  code: z.string().max(128),
  verifier: z.string().min(43).max(128),
});

/** POST /api/auth/oidc/device */
export const StartOidcDevice = z.strictObject({ organization });

/** What to show, and how often to ask. */
export const OidcDevice = z.object({
  device: z.string().describe('stands for this login, for POST /api/auth/oidc/device/token'),
  user_code: z.string(),
  verification_uri: z.string(),
  verification_uri_complete: z.string().optional().describe('with the code in it'),
  expires_in: z.int().describe('seconds'),
  interval: z.int().describe('seconds between two questions'),
});
export type OidcDevice = z.output<typeof OidcDevice>;

/** POST /api/auth/oidc/device/token */
export const AskOidcDevice = z.strictObject({ device: z.string().max(8192) });

/** 202 while nobody has logged in. */
export const OidcDevicePending = z.object({
  status: z.enum(['pending', 'slow_down']).describe('slow_down: ask 5 s later than before from now on'),
});
export const OidcDeviceAnswer = z.union([SessionTokens, OidcDevicePending]);
