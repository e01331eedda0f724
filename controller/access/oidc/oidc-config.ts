import { z } from 'zod';
import { OrganizationName } from '../../../shared/api/common.ts';

/** Plain HTTP would let anybody on the way say who people are. */
const isSafe = (issuer: string): boolean => {
  const { protocol, hostname } = new URL(issuer);
  return protocol === 'https:' || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
};

const domain = z
  .string()
  .regex(/^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/, 'expected a domain, such as example.org')
  .transform((name) => name.toLowerCase());

/** An identity provider that says who people are. */
export const OidcConfig = z
  .strictObject({
    issuer: z
      .url({ protocol: /^https?$/ })
      .refine(isSafe, 'expected https; http is for loopback only')
      .describe('as the provider calls itself; its /.well-known/openid-configuration is read'),
    client_id: z.string().min(1).max(256),
    client_secret_file: z
      .string()
      .optional()
      .describe('absent: a public client, which proves itself by PKCE'),
    scopes: z.string().default('openid email profile').describe('asked of the provider, with spaces between'),
    email_claim: z.string().default('email').describe('the claim that holds the e-mail'),
    allowed_domains: z
      .array(domain)
      .max(100)
      .optional()
      .describe('only people whose e-mail is in one of these; absent: any that the provider vouches for'),
    create_accounts: z
      .enum(['none', 'viewer', 'operator'])
      .default('none')
      .describe('the role that somebody unknown gets; none: they are refused'),
    organization: OrganizationName.default('default').describe('where accounts are made'),
  })
  .refine(
    ({ create_accounts, allowed_domains }) => create_accounts === 'none' || allowed_domains !== undefined,
    'create_accounts needs allowed_domains: else everybody whom the provider knows would come in',
  )
  .refine(
    ({ scopes }) => scopes.split(' ').includes('openid'),
    'scopes needs openid: else the provider does not say who somebody is',
  );

/** The provider with the secret that the controller shows it. */
export type OidcSettings = z.output<typeof OidcConfig> & { clientSecret?: string };
