import { FILE_HEADERS_ONLY, createTwoFilesPatch } from 'diff';

/** One text against another: the difference, or why there is none to show. */
export interface TextDiff {
  /** Unified; null when it is too large, then `note` says how much changed. */
  diff: string | null;
  note: string | null;
}

/** Looking for the smallest difference takes the square of it: beyond these bounds only the sizes are told. */
const maxEdits = 20_000;
const maxMs = 200;
const maxTextBytes = 4 * 1024 * 1024;
const maxDiffBytes = 1024 * 1024;

/** `before` null: it was not there; `after` null: it is not there any more. */
export function unifiedDiff(path: string, before: string | null, after: string | null): TextDiff {
  if (before === after) return { diff: null, note: null };
  const isLarge = (before?.length ?? 0) + (after?.length ?? 0) > maxTextBytes;
  const diff = isLarge
    ? undefined
    : createTwoFilesPatch(
        before === null ? '/dev/null' : `a${path}`,
        after === null ? '/dev/null' : `b${path}`,
        before ?? '',
        after ?? '',
        undefined,
        undefined,
        { context: 3, maxEditLength: maxEdits, timeout: maxMs, headerOptions: FILE_HEADERS_ONLY },
      );
  if (diff === undefined || diff.length > maxDiffBytes) {
    return { diff: null, note: replaced(before, after) };
  }
  return { diff, note: null };
}

/** Differences for one answer: what is beyond the time for all of them is told in numbers only. */
export class DiffBudget {
  readonly #monotonic: () => number;
  #leftMs: number;

  constructor(monotonic: () => number, ms = 2_000) {
    this.#monotonic = monotonic;
    this.#leftMs = ms;
  }

  diff(path: string, before: string | null, after: string | null): TextDiff {
    if (this.#leftMs <= 0) return { diff: null, note: replaced(before, after) };
    const from = this.#monotonic();
    try {
      return unifiedDiff(path, before, after);
    } finally {
      this.#leftMs -= this.#monotonic() - from;
    }
  }
}

function replaced(before: string | null, after: string | null): string {
  if (before === null) return `new, ${linesOf(after)} lines`;
  if (after === null) return `deleted, ${linesOf(before)} lines`;
  return `replaced, ${linesOf(before)} lines by ${linesOf(after)}`;
}

function linesOf(text: string | null): number {
  if (text === null || text === '') return 0;
  let lines = text.endsWith('\n') ? 0 : 1;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}
