import type { z } from 'zod';
import type { SignedKeyChange } from '../protocol/key-change.ts';
import { importPublicKey, type KeyPair, signText, verifyText } from './keys.ts';

/** `statement` names the public keys of both. */
export function signKeyChange(
  statement: { old: string; next: string },
  { old, next }: { old: KeyPair; next: KeyPair },
): SignedKeyChange {
  const text = JSON.stringify(statement);
  return {
    statement: text,
    by_old: signText(text, old.privateKey),
    by_next: signText(text, next.privateKey),
  };
}

/** What the change says, if both keys that it names signed it; else undefined. */
export function readKeyChange<Schema extends z.ZodType<{ old: string; next: string }>>(
  schema: Schema,
  change: SignedKeyChange,
): z.output<Schema> | undefined {
  const { statement: text, by_old: byOld, by_next: byNext } = change;
  try {
    const said = schema.parse(JSON.parse(text));
    const isSigned =
      said.old !== said.next &&
      verifyText(text, byOld, importPublicKey(said.old)) &&
      verifyText(text, byNext, importPublicKey(said.next));
    return isSigned ? said : undefined;
  } catch {
    return undefined;
  }
}
