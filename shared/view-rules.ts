import type { TextRule, Unit } from './device-profile.ts';
import { hideDetected, suspiciousLine } from './view-detectors.ts';
import { hide, type SecretToken } from './view-hide.ts';

/** Hides a value without telling whether it changed. */
export const maskedSecret = '<secret>';

/** Longer lines are not searched, and so not shown. */
export const maxViewLine = 65_536;

/** The rules in their order, line by line. A line that is too long becomes a note that it is hidden. */
export const applyRules = (text: string, rules: TextRule[], token: SecretToken): string =>
  applyToLines(text.split('\n'), rules, token).join('\n');

/** What the rules leave of these lines. */
export function applyToLines(
  lines: string[],
  rules: TextRule[],
  token: SecretToken,
  mask = maskedSecret,
): string[] {
  const compiled = rules.map((rule) => ({
    rule,
    pattern: new RegExp(rule.match, 'dgu'),
    once: new RegExp(rule.match, 'u'),
  }));
  return lines.flatMap((line) => {
    let left = line;
    for (const { rule, pattern, once } of compiled) {
      if (left.length > maxViewLine) return [`${maskedSecret} (a line of ${left.length} characters)`];
      if (!once.test(left)) continue;
      if (rule.replace === 'drop_line') return [];
      left = hide(left, pattern, rule.replace === 'mask' ? () => mask : token);
    }
    return [left];
  });
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
