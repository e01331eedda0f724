import type { Unit } from '../../shared/device-profile.ts';

/** What the PULL before found in a unit. */
export interface UnitMemory {
  /** Keyed digest of the files. */
  state: string;
  /** Bytes by path. */
  files: Record<string, number>;
  /** State of a reading that was not believed. */
  doubted?: string | undefined;
}

/** What this PULL finds. */
export interface UnitFinding {
  state: string;
  files: Record<string, number>;
  /** As the last confirmed transaction left it: whatever it lost was meant. */
  isConfirmed: boolean;
}

/** Smaller files come and go. */
const leastBytes = 256;

/** Whether a text that comes in pieces is a whole file. */
export class Completeness {
  readonly #wanted: NonNullable<Unit['complete']>;
  readonly #window: number;
  #hasPart: boolean;
  /** The end of what came, without the white space behind it; and the end of that. */
  #end = '';
  #space = '';

  constructor(wanted: NonNullable<Unit['complete']>) {
    this.#wanted = wanted;
    const { must_end_with: end = '', must_contain: part = '' } = wanted;
    this.#window = Math.max(end.length, part.length, 1);
    this.#hasPart = part === '';
  }

  add(piece: string): void {
    const before = this.#end + this.#space;
    this.#hasPart ||= (before + piece).includes(this.#wanted.must_contain ?? '');
    const text = piece.trimEnd();
    if (text === '') this.#space = (this.#space + piece).slice(-this.#window);
    else {
      this.#end = (before + text).slice(-this.#window);
      this.#space = piece.slice(text.length).slice(-this.#window);
    }
  }

  /** Why it is not, or undefined. */
  problem(size: number): string | undefined {
    const { must_end_with: end = '', must_contain: part, min_bytes: least } = this.#wanted;
    if (size < least) return `has ${size} bytes, expected at least ${least}`;
    if (!this.#end.endsWith(end)) return `does not end with ${JSON.stringify(end)}`;
    if (!this.#hasPart) return `does not contain ${JSON.stringify(part)}`;
    return undefined;
  }
}

/**
 * Why a reading lost too much to be believed at once, or undefined. The same reading a second time is what the device has: a reader
 * that was cut off does not end at the same byte twice.
 */
export function loss(before: UnitMemory | undefined, now: UnitFinding, percent: number): string | undefined {
  if (before === undefined || now.isConfirmed || before.state === now.state) return undefined;
  if (before.doubted === now.state) return undefined;
  for (const [path, size] of Object.entries(now.files)) {
    const had = before.files[path] ?? 0;
    if (isLoss(had, size, percent)) return `${path} had ${had} bytes and has ${size} now`;
  }
  const [had, has] = [total(before.files), total(now.files)];
  return isLoss(had, has, percent) ? `its files had ${had} bytes and have ${has} now` : undefined;
}

const isLoss = (had: number, has: number, percent: number): boolean =>
  had >= leastBytes && has < had * (1 - percent / 100);

const total = (files: Record<string, number>): number =>
  Object.values(files).reduce((sum, size) => sum + size, 0);
