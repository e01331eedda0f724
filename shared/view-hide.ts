/** What stands for a secret value: `<secret:8 hex of a keyed digest>`, so that a rotation shows and the value does not. */
export type SecretToken = (value: string) => string;

/** Replaces group `secret`, or group 1, or everything that `pattern` (flags d and g) finds. What is hidden already stays. */
export function hide(text: string, pattern: RegExp, token: SecretToken): string {
  let at = 0;
  let result = '';
  for (const match of text.matchAll(pattern)) {
    const span = match.indices?.groups?.['secret'] ?? match.indices?.[1] ?? match.indices?.[0];
    if (!span || span[0] < at || span[0] === span[1]) continue;
    const value = text.slice(...span);
    result += text.slice(at, span[0]) + (isHidden(value) ? value : token(value));
    at = span[1];
  }
  return result + text.slice(at);
}

const isHidden = (value: string): boolean => /^<secret(:[0-9a-f]{8})?>$/.test(value);
