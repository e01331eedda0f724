/** A set or map of a ruleset as `nft list ruleset` prints it. */
interface NftSet {
  /** `inet filter banned`. */
  name: string;
  /** What makes it the same set: its kind, type and flags. */
  nature: string;
  /** Whether it fills itself: by rules, or with elements that end by themselves. */
  fillsItself: boolean;
  elements: string[];
}

/** Elements that a set gets back, with the command of nft that brings them. */
export interface LostElements {
  set: string;
  count: number;
  command: string;
}

/**
 * Which elements of the old ruleset are missing in the new one although nobody took them out: those of sets that fill themselves and are
 * of the same type in both, unless the old files name them. What the files name is theirs to keep or to leave out.
 */
export function lostElements(before: string, after: string, oldFiles: string): LostElements[] {
  const files = oldFiles.replace(/\s+/g, ' ');
  const now = new Map(setsOf(after).map((set) => [set.name, set]));
  return setsOf(before).flatMap(({ name, nature, fillsItself, elements }) => {
    const same = now.get(name);
    if (!fillsItself || same?.nature !== nature) return [];
    const there = new Set(same.elements.map(keyOf));
    const lost = elements.filter((element) => !there.has(keyOf(element)) && !names(files, keyOf(element)));
    if (lost.length === 0) return [];
    return [{ set: name, count: lost.length, command: `add element ${name} { ${lost.join(', ')} }\n` }];
  });
}

function setsOf(ruleset: string): NftSet[] {
  return [...ruleset.matchAll(/^table (\S+ \S+) \{.*\n([^]*?)^\}$/gm)].flatMap(([, table, tableBody = '']) =>
    [...tableBody.matchAll(/^\t(set|map) (\S+) \{.*\n([^]*?)^\t\}$/gm)].map(([, kind, name, body = '']) => {
      const elements = /^\t\telements = \{ ([^]*) \}\s*$/m.exec(body)?.[1];
      const lines = body.split('\n').map((line) => line.trim());
      const nature = lines.filter((line) => /^(?:type|typeof|flags) /.test(line));
      return {
        name: `${table} ${name}`,
        nature: [kind, ...nature].join('\n'),
        fillsItself: nature.some((line) => /^flags .*\b(?:dynamic|timeout)\b/.test(line)),
        elements: elements === undefined ? [] : split(elements),
      };
    }),
  );
}

/** At commas, but not at those of comments. */
const split = (elements: string): string[] =>
  (elements.match(/(?:"[^"]*"|[^",])+/g) ?? []).map((one) => one.trim().replace(/\s+/g, ' '));

/** What stands before the state of an element, its comment, and what a map gives for it. */
const keyOf = (element: string): string =>
  element.replace(/ (?:timeout|expires|counter|limit|quota|last|ct count|comment|:) .*$/, '');

function names(files: string, key: string): boolean {
  const part = /[\w.:/-]/;
  for (let at = files.indexOf(key); at !== -1; at = files.indexOf(key, at + 1)) {
    if (!part.test(files[at - 1] ?? '') && !part.test(files[at + key.length] ?? '')) return true;
  }
  return false;
}
