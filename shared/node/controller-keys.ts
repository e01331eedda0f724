import type { KeyObject } from 'node:crypto';
import type { Instant } from '../clock.ts';
import { ControllerKeyChange, maxKeyChanges, type SignedKeyChange } from '../protocol/key-change.ts';
import { readKeyChange } from './key-change.ts';
import { importPublicKey, keyFingerprint, verifyText } from './keys.ts';

export interface ControllerKeysParts {
  controllerId: string;
  /** Raw Ed25519, base64url: what enrolment gave. */
  pinned: string;
  /** Changes that were taken before. */
  changes?: SignedKeyChange[];
  /** By the clock of the controller, as far as it is known. */
  now: () => Instant;
  /** Must not return before the changes are on disk. */
  save?: (changes: SignedKeyChange[]) => void;
}

interface Step {
  signed: SignedKeyChange;
  said: ControllerKeyChange;
}

/**
 * Whose word is the controller's: the key that enrolment pinned, and what it handed on to.
 *
 * - A change counts only if it begins at the newest key that is trusted already: nobody without that key can add one.
 * - What is known is never forgotten and never made to last longer: a change that is told again can only end its old key sooner.
 * - A change is on disk before it counts.
 */
export class ControllerKeys {
  readonly #parts: ControllerKeysParts;
  #steps: Step[] = [];

  constructor(parts: ControllerKeysParts) {
    importPublicKey(parts.pinned);
    this.#parts = parts;
    this.#steps = this.#merged(parts.changes ?? []).steps;
  }

  /** Whether a key that is trusted now signed the text. */
  isSigned(text: string, signature: string): boolean {
    return this.#trusted().some((key) => {
      try {
        return verifyText(text, signature, key);
      } catch {
        return false;
      }
    });
  }

  /** Takes what can be verified and leaves the rest. Returns how many changes were new. */
  learn(changes: SignedKeyChange[]): number {
    const { steps, learned } = this.#merged(changes);
    if (learned === 0) return 0;
    this.#parts.save?.(steps.map(({ signed }) => signed));
    this.#steps = steps;
    return learned;
  }

  /** To be handed on to whoever verifies for itself. */
  get changes(): SignedKeyChange[] {
    return this.#steps.map(({ signed }) => signed);
  }

  /** Raw public key of the controller as it is now, as far as is known here. */
  get newest(): string {
    return this.#steps.at(-1)?.said.next ?? this.#parts.pinned;
  }

  /** What a hello says of it, so that the controller tells what is missing. */
  get known(): { controllerKey: string; oldControllerKeyUntil?: Instant } {
    const until = this.#steps.at(-1)?.said.old_until;
    return {
      controllerKey: keyFingerprint(this.newest),
      ...(until === undefined ? {} : { oldControllerKeyUntil: until }),
    };
  }

  #trusted(): KeyObject[] {
    const now = this.#parts.now();
    const old = this.#steps.filter(({ said }) => now < said.old_until).map(({ said }) => said.old);
    return [this.newest, ...old].map(importPublicKey);
  }

  #merged(changes: SignedKeyChange[]): { steps: Step[]; learned: number } {
    const steps = [...this.#steps];
    let learned = 0;
    for (const signed of changes) {
      const said = readKeyChange(ControllerKeyChange, signed);
      if (said?.controller !== this.#parts.controllerId) continue;
      const newest = steps.at(-1)?.said.next ?? this.#parts.pinned;
      const at = steps.findIndex((step) => step.said.old === said.old && step.said.next === said.next);
      const known = steps[at];
      if (known !== undefined && said.old_until < known.said.old_until) steps[at] = { signed, said };
      else if (known === undefined && said.old === newest && steps.length < maxKeyChanges) {
        steps.push({ signed, said });
      } else continue;
      learned += 1;
    }
    return { steps, learned };
  }
}
