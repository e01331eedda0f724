import type { Clock, Random } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import type { SecretBox } from '../content/secret-box.ts';
import type { SealedText, WebhookRow, WebhookValues } from '../store/webhooks.ts';
import { drawSecret } from './signature.ts';

/** How long the secret before signs too, so that receivers can be told in between. */
const overlapMs = 86_400_000;

type Whose = Pick<WebhookRow, 'id' | 'organizationId' | 'name'>;

/** Secrets that messages are signed with: sealed in the store, and opened to sign. */
export class WebhookSecrets {
  readonly #parts: { box: SecretBox; clock: Clock; random: Random };

  constructor(parts: { box: SecretBox; clock: Clock; random: Random }) {
    this.#parts = parts;
  }

  /** A new one; `secret` is never shown again. */
  draw(whose: Whose): { secret: string; sealed: SealedText } {
    const { box, random } = this.#parts;
    const secret = drawSecret(random);
    const { sealed, keyId } = box.seal(secret, placeOf(whose));
    return { secret, sealed: { sealed, keyId } };
  }

  /** What a change of the secret changes of its webhook. */
  replace(webhook: WebhookRow): { secret: string; values: WebhookValues } {
    const { secret, sealed } = this.draw(webhook);
    const previousUntil = this.#parts.clock.now() + overlapMs;
    return { secret, values: { secret: sealed, previousSecret: webhook.secret, previousUntil } };
  }

  /** Those that sign now, the newest first. Throws `conflict` when the newest cannot be opened. */
  open(webhook: WebhookRow): string[] {
    const { previousSecret, previousUntil } = webhook;
    const newest = this.#unseal(webhook, webhook.secret);
    if (previousSecret === null || (previousUntil ?? 0) <= this.#parts.clock.now()) return [newest];
    return [newest, this.#unseal(webhook, previousSecret)];
  }

  #unseal(webhook: Whose, sealed: SealedText): string {
    try {
      return this.#parts.box.unseal(sealed, placeOf(webhook));
    } catch (cause) {
      if (!(cause instanceof AppError) || cause.code !== 'conflict') throw cause;
      throw new AppError(
        'conflict',
        `The secret of webhook ${webhook.name} cannot be opened: expected the key file that it was sealed with; put it back, or rotate the secret`,
        { cause },
      );
    }
  }
}

const placeOf = ({ id, organizationId }: Whose) => ({
  organizationId,
  scope: 'webhook',
  key: id,
  name: 'secret',
});
