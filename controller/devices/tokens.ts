import type { Instant } from '../../shared/clock.ts';
import type { Labels } from '../../shared/ids.ts';
import type {
  AccessTokenRow,
  AccountRow,
  EnrolmentTokenRow,
  OrganizationRow,
  Principal,
} from '../store/access.ts';
import type { Actor } from './actor.ts';

/** Tokens: shown once when minted, stored as SHA-256. */
export interface Tokens {
  /** The bearer of a personal access token (`mst_…`). Throws `not_authenticated` or `token_expired`. Remembers when it was used. */
  authenticate(token: string): Promise<Principal>;
  /** Throws `name_taken`. */
  mintAccessToken(
    actor: Actor,
    account: AccountRow,
    wish: { name: string; scope: 'RW' | 'RO'; expiresAt: Instant | null },
  ): Promise<{ row: AccessTokenRow; token: string }>;
  /** Throws `not_found` when there is no such token, or it is revoked already. */
  revokeAccessToken(actor: Actor, accountId: string, name: string): Promise<void>;
  /** `ticket` is the text an operator carries to the device (`me1.…`). Throws `name_taken`. */
  mintEnrolmentToken(
    actor: Actor,
    organization: OrganizationRow,
    wish: {
      name: string;
      maxUses: number | null;
      autoApprove: boolean;
      labels: Labels;
      expiresAt: Instant | null;
    },
  ): Promise<{ row: EnrolmentTokenRow; ticket: string }>;
  revokeEnrolmentToken(actor: Actor, name: string): Promise<void>;
}
