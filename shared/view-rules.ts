import type { TextRule, Unit } from './device-profile.ts';
import { hideDetected, suspiciousLine } from './view-detectors.ts';
import { hide, type SecretToken } from './view-hide.ts';

/** Hides a value without telling whether it changed. */
export const maskedSecret = '<secret>';

/** Longer lines are not searched, and so not shown. */
export const maxViewLine = 65_536;

/** The rules in their order, line by line. A line that is too long becomes a note that it is hidden. */
export function applyRules(text: string, rules: TextRule[], token: SecretToken, mask = maskedSecret): string {
  const compiled = rules.map((rule) => ({
    rule,
    pattern: new RegExp(rule.match, 'dgu'),
    once: new RegExp(rule.match, 'u'),
  }));
  return text
    .split('\n')
    .flatMap((line) => {
      let left = line;
      for (const { rule, pattern, once } of compiled) {
        if (left.length > maxViewLine) return [`${maskedSecret} (a line of ${left.length} characters)`];
        if (!once.test(left)) continue;
        if (rule.replace === 'drop_line') return [];
        left = hide(left, pattern, rule.replace === 'mask' ? () => mask : token);
      }
      return [left];
    })
    .join('\n');
}

/** A text as people, diff and search may see it; or why it is withheld, because it is not surely free of secrets. */
export function viewOf(
  text: string,
  unit: Pick<Unit, 'volatile' | 'secrets' | 'public'>,
  token: SecretToken,
): { text: string } | { withheld: string } {
  const steady = applyRules(text, unit.volatile, token, '<volatile>');
  const hidden = hideDetected(applyRules(steady, unit.secrets, token), token);
  const line = suspiciousLine(hidden, unit.public);
  if (line === undefined) return { text: hidden };
  return { withheld: `line ${line} of the view holds what looks like a secret and no rule names it` };
}

/** Output of a command, for logs and results: secrets hidden, and every line that is not surely free of them. */
export function redactOutput(
  text: string,
  unit: Pick<Unit, 'secrets' | 'public'>,
  token: SecretToken = () => maskedSecret,
): string {
  const lines = hideDetected(applyRules(text, unit.secrets, token), token).split('\n');
  for (;;) {
    const line = suspiciousLine(lines.join('\n'), unit.public);
    if (line === undefined) return lines.join('\n');
    lines[line - 1] = `${maskedSecret} (a line that looks like one)`;
  }
}
