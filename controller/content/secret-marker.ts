import { Drop } from 'liquidjs';
import type { Random } from '../../shared/clock.ts';
import { secretMarker } from '../../shared/manifest.ts';

/**
 * Secrets while a template is rendered. What stands for one carries characters that nobody outside of this process knows: a marker that
 * somebody wrote into a template, a variable or the facts of a device is not one of ours, and refused.
 */
export class SecretMarkers {
  readonly #seal: string;
  readonly #pattern: RegExp;

  constructor(random: Random) {
    // From the private use area: no filter for letters or digits touches them.
    this.#seal = Array.from(random.bytes(16), (byte) => String.fromCharCode(0xe000 + byte)).join('');
    this.#pattern = new RegExp(`<<muster:secret:([A-Za-z_][A-Za-z0-9_]*)${this.#seal}>>`, 'g');
  }

  of(name: string): SecretDrop {
    return new SecretDrop(name, `<<muster:secret:${name}${this.#seal}>>`);
  }

  /** Names of the secrets that a value holds, as often as it does. */
  heldBy(value: unknown): string[] {
    if (value instanceof SecretDrop) return [value.name];
    if (typeof value === 'string') {
      if (!value.includes(this.#seal)) return [];
      return Array.from(value.matchAll(this.#pattern), ([, name = '']) => name);
    }
    return Array.isArray(value) ? value.flatMap((one) => this.heldBy(one)) : [];
  }

  /** The text with public markers, and the secrets in it; undefined when a marker in it is damaged or not of ours. */
  publish(text: string): { text: string; secrets: string[] } | undefined {
    const rest = text.replaceAll(this.#pattern, '');
    if (/muster:secret:/i.test(rest) || rest.includes(this.#seal)) return undefined;
    if (rest.length === text.length) return { text, secrets: [] };
    const secrets = [...new Set(this.heldBy(text))].sort();
    return { text: text.replaceAll(this.#pattern, (_, name: string) => secretMarker(name)), secrets };
  }
}

/** Stands for a secret value: it can be put somewhere, and nothing else. */
export class SecretDrop extends Drop {
  readonly name: string;
  readonly #marker: string;

  constructor(name: string, marker: string) {
    super();
    this.name = name;
    this.#marker = marker;
  }

  override valueOf(): string {
    return this.#marker;
  }

  override toString(): string {
    return this.#marker;
  }

  override liquidMethodMissing(): never {
    throw opaque(this.name);
  }

  equals(): never {
    throw opaque(this.name);
  }

  gt(): never {
    throw opaque(this.name);
  }

  geq(): never {
    throw opaque(this.name);
  }

  lt(): never {
    throw opaque(this.name);
  }

  leq(): never {
    throw opaque(this.name);
  }
}

/** Why a template cannot look into a secret. */
export const opaque = (name: string): Error =>
  new Error(`secret variable ${name} cannot be changed or compared: its value is only known on the device`);
