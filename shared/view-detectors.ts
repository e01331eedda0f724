import { hide, type SecretToken } from './view-hide.ts';

/** Hides what is a secret wherever it stands: PEM blocks, passwords in URLs, values of keys that say so. */
export function hideDetected(text: string, token: SecretToken): string {
  let result = text;
  for (const pattern of detectors) result = hide(result, pattern, token);
  return result
    .split('\n')
    .map((line) =>
      keyWord.test(line)
        ? keyed.reduce(
            (left, pattern) => hide(left, pattern, (value) => (isPlain(value) ? value : token(value))),
            line,
          )
        : line,
    )
    .join('\n');
}

const blockEnd = /-----END [A-Z0-9 ]+-----/g;
const block = /-----BEGIN [A-Z0-9 ]+-----(?<rest>[\s\S]*?-----END [A-Z0-9 ]+-----)?/g;

/** Where a PEM block begins whose end is not in the text, and up to where blocks are closed before it. `begun`: it began before the text. */
export function openBlockAt(text: string, begun: boolean): { at: number; closedBefore: number } | undefined {
  let closedBefore = 0;
  if (begun) {
    blockEnd.lastIndex = 0;
    if (!blockEnd.test(text)) return { at: 0, closedBefore: text.length };
    closedBefore = blockEnd.lastIndex;
  }
  block.lastIndex = closedBefore;
  for (let match = block.exec(text); match; match = block.exec(text)) {
    if (match.groups?.['rest'] === undefined) return { at: match.index, closedBefore };
    closedBefore = block.lastIndex;
  }
  return undefined;
}

/** The first line (from 1) with a word that looks random, apart from what `isPublic` matches. */
export function suspiciousLine(text: string, isPublic: string[]): number | undefined {
  const known = [...isPublic, ...publicEverywhere].map((pattern) => new RegExp(pattern, 'gu'));
  const found = text.split('\n').findIndex((line) => {
    // What is public is cut out, which makes no word longer.
    if (!longWord.test(line)) return false;
    const rest = known.reduce((left, pattern) => left.replaceAll(pattern, ' '), line);
    return (rest.match(longWords) ?? []).some(looksRandom);
  });
  return found < 0 ? undefined : found + 1;
}

const longWord = /[A-Za-z0-9+/_=-]{16}/;
const longWords = /[A-Za-z0-9+/_=-]{16,}/g;

/** Multi-line; the end of a block may be missing. */
const detectors = [
  /-----BEGIN [A-Z0-9 ]+-----(?<secret>[\s\S]*?)(?:-----END [A-Z0-9 ]+-----|$(?![\s\S]))/dgu,
  /(?<secret>LS0tLS1CRUdJTi[A-Za-z0-9+/=]+)/dgu, // the same, in base64
  /(?<secret>AGE-SECRET-KEY-1[0-9A-Z]+)/dgu,
  /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"'<>]*:(?<secret>[^\s/"'<>]+)@/dgu,
];

const secretWord =
  'pass(?:word|wd|phrase)|secret|psk|pre[_-]?shared[_-]?key|private[_-]?key|api[_-]?key|auth(?:entication)?[_-]key|key-string|credential|token';
const secretKey = `[\\w.-]*(?:${secretWord})[\\w.-]*`;
/** No pattern of `keyed` finds anything in a line without one of these. */
const keyWord = new RegExp(`${secretWord}|community`, 'iu');

/** In one line. The value goes on to its end: to cut it at a quote would show the rest of a value that holds one. */
const keyed = [
  new RegExp(`<(?:${secretKey})(?:\\s[^>]*)?>(?<secret>[^<]+)<`, 'dgiu'),
  new RegExp(
    `(?:^|[\\s"'{,;(<])(?:${secretKey})["']?(?:\\s*[:=]\\s*|\\s+)["']?(?<secret>[^\\s"'].*)$`,
    'dgiu',
  ),
  /^\s*(?:snmp-server\s+)?(?:ro|rw)?community6?\s+(?<secret>\S+)/dgiu,
];

/** Values of such keys that are settings. */
const isPlain = (value: string): boolean =>
  /^(?:yes|no|true|false|on|off|none|any|all|enabled?|disabled?|default|\d{1,3})["';,]*\s*$/i.test(value) ||
  value.startsWith('<secret') ||
  value.startsWith('</');

const publicEverywhere = [
  '<secret(?::[0-9a-f]{8})?>',
  '<<muster:secret:\\w+>>',
  '\\b(?:TLS|SSL|ECDHE|DHE)[_-][A-Z0-9_-]+\\b', // cipher suites
  '\\bx86_64-linux-gnu\\b',
  '\\b(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-[a-z0-9-]+)\\s+AAAA[A-Za-z0-9+/=]+',
];

/**
 * Whether a word could be a key: in pieces too short for words and numbers (`IgnoreUserKnownHosts` has pieces of 5 characters, a key in
 * base64 of 2), of which too few can be spoken, or of all kinds mixed. Measured over 2,400 words of configurations and documents and 40,000
 * keys of each length: of keys of 18 bytes and more, less than one in 1,000 passes; of the words, 1 in 50 is doubted.
 */
function looksRandom(word: string): boolean {
  const body = word.replace(/=+$/, '');
  if (/^[0-9a-f]{32,}$/i.test(body)) return bitsPerCharacter(body) > 2.5;
  const letters = body.replace(/[^A-Za-z0-9]/g, '');
  if (letters.length < 16 || /^\d+$/.test(letters) || bitsPerCharacter(letters) < 3) return false;
  const pieces = body.match(/[A-Z]?[a-z]+|[A-Z]+|\d+/g) ?? [];
  const average = letters.length / pieces.length;
  if (average < 2.7) return true;
  const spoken = pieces.filter(isSpoken).reduce((sum, { length }) => sum + length, 0) / letters.length;
  if (average < 4 && spoken < 0.6) return true;
  if (average < 3.6 && changes(letters) / (letters.length - 1) >= 0.3) return true;
  return body.split(/[^A-Za-z]+/).some((part) => part.length >= 12 && /[^aeiouy]{7}/i.test(part));
}

const isSpoken = (piece: string): boolean =>
  /^[A-Za-z]{3,}$/.test(piece) && /[aeiouy]/i.test(piece) && !/[^aeiouy]{5}/i.test(piece);

const kindOf = (character: string): number => (/\d/.test(character) ? 0 : /[a-z]/.test(character) ? 1 : 2);

/** How often a digit, a small and a capital letter follow one another. */
const changes = (text: string): number =>
  [...text].filter((character, index) => index > 0 && kindOf(character) !== kindOf(text[index - 1] ?? ''))
    .length;

function bitsPerCharacter(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce(
    (sum, count) => sum - (count / text.length) * Math.log2(count / text.length),
    0,
  );
}
